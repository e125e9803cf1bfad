#!/bin/sh
# What a receiver runs behind Debian's webhook: checks the signature of Standard Webhooks with openssl alone.
#   verify.sh id timestamp signatures body     (the secret, base64 without whsec_, is in $SECRET)
set -eu
key=$(printf %s "$SECRET" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
want=$(printf '%s.%s.%s' "$1" "$2" "$4" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
for given in $3; do
	if [ "$given" = "v1,$want" ]; then
		echo verified
		exit 0
	fi
done
echo refused
exit 1
