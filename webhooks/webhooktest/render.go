package webhooktest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// decodeStrict decodes one JSON value in valid UTF-8. It rejects unknown members and trailing data.
func decodeStrict(body []byte, value any) error {
	if !utf8.Valid(body) {
		return errors.New("not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("trailing data after the JSON value")
	}
	return nil
}

// addText adds one or more lines of text.
func (r *Rendered) addText(text string) {
	if text != "" {
		r.Lines = append(r.Lines, strings.Split(text, "\n")...)
	}
}

// mentionPattern matches a name after an @, which every service could take for a mention.
var mentionPattern = regexp.MustCompile(`[@＠][\p{L}\p{N}_*]+`)

// addMentions adds the mentions in a text.
func (r *Rendered) addMentions(text string, more ...*regexp.Regexp) {
	for _, re := range append(more, mentionPattern) {
		r.Mentions = append(r.Mentions, re.FindAllString(text, -1)...)
	}
}

// Text returns the lines, each with a line break.
func (r Rendered) Text() string { return strings.Join(r.Lines, "\n") + "\n" }

// escapedBase is the first of the private runes that replace escaped characters during the search for markup.
const escapedBase = '\U0010f800'

var (
	linkPattern    = regexp.MustCompile(`\[([^\[\]]*)\]\((https?://[^\s()]*)\)`)
	boldPattern    = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	fontPattern    = regexp.MustCompile(`</?font[^>]*>`)
	headingPattern = regexp.MustCompile(`(?m)^#+ `)
)

// addMarkdown adds Markdown text. The active characters are markup, except after a backslash if the service supports
// backslash escapes.
func (r *Rendered) addMarkdown(text, active string, backslash bool) {
	var unescaped strings.Builder
	rest := []rune(text)
	for i := 0; i < len(rest); i++ {
		char := rest[i]
		if backslash && char == '\\' && i+1 < len(rest) && strings.ContainsRune("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", rest[i+1]) {
			i++
			unescaped.WriteRune(escapedBase + rest[i])
			continue
		}
		unescaped.WriteRune(char)
	}
	text = unescaped.String()
	// Links come from the format, and the characters of their URLs are not markup.
	outside := linkPattern.ReplaceAllString(text, "[$1]()")
	for _, char := range fontPattern.ReplaceAllString(outside, "<>") {
		if strings.ContainsRune(active, char) {
			r.Markup = append(r.Markup, string(char))
		}
	}
	text = linkPattern.ReplaceAllString(text, "$1 → $2")
	text = boldPattern.ReplaceAllString(text, "$1")
	text = headingPattern.ReplaceAllString(fontPattern.ReplaceAllString(text, ""), "")
	text = strings.Map(func(char rune) rune {
		if char >= escapedBase && char < escapedBase+128 {
			return char - escapedBase
		}
		return char
	}, text)
	r.addMentions(text)
	r.addText(text)
}

// addHTML adds HTML text with balanced tags, of which only some are allowed.
func (r *Rendered) addHTML(text string, allowed ...string) error {
	decoder := xml.NewDecoder(strings.NewReader("<x>" + text + "</x>"))
	var plain strings.Builder
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch part := token.(type) {
		case xml.StartElement:
			if err := r.addTag(part, &plain, allowed); err != nil {
				return err
			}
		case xml.EndElement:
			if part.Name.Local == "a" && len(r.Markup) > 0 {
				plain.WriteString(" → " + strings.TrimPrefix(r.Markup[len(r.Markup)-1], "a href="))
			}
		case xml.CharData:
			plain.Write(part)
		default:
			return fmt.Errorf("%T in the markup", part)
		}
	}
	r.addMentions(plain.String())
	r.addText(plain.String())
	return nil
}

func (r *Rendered) addTag(element xml.StartElement, text *strings.Builder, allowed []string) error {
	if element.Name.Local == "x" {
		return nil
	}
	mark, known := element.Name.Local, false
	for _, attr := range element.Attr {
		mark += " " + attr.Name.Local + "=" + attr.Value
	}
	for _, name := range allowed {
		known = known || name == element.Name.Local
	}
	if !known {
		return fmt.Errorf("the tag %s", element.Name.Local)
	}
	r.Markup = append(r.Markup, mark)
	switch element.Name.Local {
	case "br":
		text.WriteString("\n")
	case "li":
		text.WriteString("\n• ")
	}
	return nil
}

// addSlackText adds text of Slack, which interprets <…> and three entities.
func (r *Rendered) addSlackText(text string) error {
	if strings.ContainsAny(strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(text), "<>&") {
		return fmt.Errorf("a control sequence in %q", text)
	}
	text = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(text)
	r.addMentions(text)
	r.addText(text)
	return nil
}
