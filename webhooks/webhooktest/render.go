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

// decodeStrict reads JSON: known fields only, valid UTF-8, nothing behind.
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
		return errors.New("something behind the JSON")
	}
	return nil
}

// addText adds text, which may be several lines.
func (r *Rendered) addText(text string) {
	if text != "" {
		r.Lines = append(r.Lines, strings.Split(text, "\n")...)
	}
}

// mentionPattern finds names after an @: what looks like a mention to any tool.
var mentionPattern = regexp.MustCompile(`[@＠][\p{L}\p{N}_*]+`)

// addMentions adds what would call somebody.
func (r *Rendered) addMentions(text string, more ...*regexp.Regexp) {
	for _, re := range append(more, mentionPattern) {
		r.Mentions = append(r.Mentions, re.FindAllString(text, -1)...)
	}
}

// Text returns the lines as one text.
func (r Rendered) Text() string { return strings.Join(r.Lines, "\n") + "\n" }

// escapedBase begins the private runes that stand for escaped characters while markup is looked for.
const escapedBase = '\U0010f800'

var (
	linkPattern    = regexp.MustCompile(`\[([^\[\]]*)\]\((https?://[^\s()]*)\)`)
	boldPattern    = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	fontPattern    = regexp.MustCompile(`</?font[^>]*>`)
	headingPattern = regexp.MustCompile(`(?m)^#+ `)
)

// addMarkdown adds a text of markdown: active are the characters that are markup unless, where the tool knows
// it, a backslash stands before them.
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
	// Addresses are the format's own, and their characters are no markup.
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

// addHTML adds a text of HTML in which only some tags may stand, each closed.
func (r *Rendered) addHTML(text string, allowed ...string) error {
	decoder := xml.NewDecoder(strings.NewReader("<x>" + text + "</x>"))
	var plain strings.Builder
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := r.addTag(t, &plain, allowed); err != nil {
				return err
			}
		case xml.EndElement:
			if t.Name.Local == "a" && len(r.Markup) > 0 {
				plain.WriteString(" → " + strings.TrimPrefix(r.Markup[len(r.Markup)-1], "a href="))
			}
		case xml.CharData:
			plain.Write(t)
		default:
			return fmt.Errorf("%T in the markup", t)
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

// addSlackText adds a text in which Slack reads <…> and three entities.
func (r *Rendered) addSlackText(text string) error {
	if strings.ContainsAny(strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(text), "<>&") {
		return fmt.Errorf("a control sequence in %q", text)
	}
	text = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(text)
	r.addMentions(text)
	r.addText(text)
	return nil
}
