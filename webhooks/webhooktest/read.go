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

// strictly reads JSON: known fields only, valid UTF-8, nothing behind.
func strictly(body []byte, v any) error {
	if !utf8.Valid(body) {
		return errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something behind the JSON")
	}
	return nil
}

// add adds text, which may be several lines.
func (s *Shown) add(text string) {
	if text != "" {
		s.Lines = append(s.Lines, strings.Split(text, "\n")...)
	}
}

// called finds names after an @: what looks like a mention to any tool.
var called = regexp.MustCompile(`[@＠][\p{L}\p{N}_*]+`)

// calls adds what would call somebody.
func (s *Shown) calls(text string, more ...*regexp.Regexp) {
	for _, re := range append(more, called) {
		s.Calls = append(s.Calls, re.FindAllString(text, -1)...)
	}
}

// Text returns the lines as one text.
func (s Shown) Text() string { return strings.Join(s.Lines, "\n") + "\n" }

// held begins the private runes that stand for escaped characters while markup is looked for.
const held = '\U0010f800'

var (
	anchor = regexp.MustCompile(`\[([^\[\]]*)\]\((https?://[^\s()]*)\)`)
	strong = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	font   = regexp.MustCompile(`</?font[^>]*>`)
	title  = regexp.MustCompile(`(?m)^#+ `)
)

// markdown adds a text of markdown: active are the characters that are markup unless, where the tool knows
// it, a backslash stands before them.
func (s *Shown) markdown(text, active string, backslash bool) {
	var b strings.Builder
	rest := []rune(text)
	for i := 0; i < len(rest); i++ {
		r := rest[i]
		if backslash && r == '\\' && i+1 < len(rest) && strings.ContainsRune("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", rest[i+1]) {
			i++
			b.WriteRune(held + rest[i])
			continue
		}
		b.WriteRune(r)
	}
	text = b.String()
	// Addresses are the format's own, and their characters are no markup.
	outside := anchor.ReplaceAllString(text, "[$1]()")
	for _, r := range font.ReplaceAllString(outside, "<>") {
		if strings.ContainsRune(active, r) {
			s.Marks = append(s.Marks, string(r))
		}
	}
	text = anchor.ReplaceAllString(text, "$1 → $2")
	text = strong.ReplaceAllString(text, "$1")
	text = title.ReplaceAllString(font.ReplaceAllString(text, ""), "")
	text = strings.Map(func(r rune) rune {
		if r >= held && r < held+128 {
			return r - held
		}
		return r
	}, text)
	s.calls(text)
	s.add(text)
}

// markup adds a text of HTML in which only some tags may stand, each closed.
func (s *Shown) markup(text string, allowed ...string) error {
	d := xml.NewDecoder(strings.NewReader("<x>" + text + "</x>"))
	var b strings.Builder
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := s.tag(t, &b, allowed); err != nil {
				return err
			}
		case xml.EndElement:
			if t.Name.Local == "a" && len(s.Marks) > 0 {
				b.WriteString(" → " + strings.TrimPrefix(s.Marks[len(s.Marks)-1], "a href="))
			}
		case xml.CharData:
			b.Write(t)
		default:
			return fmt.Errorf("%T in the markup", t)
		}
	}
	s.calls(b.String())
	s.add(b.String())
	return nil
}

func (s *Shown) tag(t xml.StartElement, b *strings.Builder, allowed []string) error {
	if t.Name.Local == "x" {
		return nil
	}
	mark, known := t.Name.Local, false
	for _, a := range t.Attr {
		mark += " " + a.Name.Local + "=" + a.Value
	}
	for _, name := range allowed {
		known = known || name == t.Name.Local
	}
	if !known {
		return fmt.Errorf("the tag %s", t.Name.Local)
	}
	s.Marks = append(s.Marks, mark)
	switch t.Name.Local {
	case "br":
		b.WriteString("\n")
	case "li":
		b.WriteString("\n• ")
	}
	return nil
}

// entities adds a text in which Slack reads <…> and three entities.
func (s *Shown) entities(text string) error {
	if strings.ContainsAny(strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(text), "<>&") {
		return fmt.Errorf("a control sequence in %q", text)
	}
	text = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(text)
	s.calls(text)
	s.add(text)
	return nil
}
