package keyring

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

var (
	logins = []string{
		"u:p", "user:pass", "a:", ":", "::", "nocolon", "", "u:p\x00", "ü:ß", "u:pa:x",
		"u:\xff\xfe", "\xe9:\x80", "\xed\xa0\x80:p",
	}
	// What may stand in the place of any value.
	values = []string{
		"null", "true", "false", "0", "-1.5e+3", "[]", "{}", `"x"`, `[1,{"a":[]}]`, "1e999", `"\ud800"`,
		`"\ud83d\ude00"`, `"\udc00\ud83d"`, `{"a":{"b":null}}`,
	}
	// What a damaged document has in it.
	shards = []string{
		"\xff", "\xe2\x82", "\xed\xa0\x80", ",", `"`, `\`, "}", "{", "[", "]", "\x01", "0", "-", ".", "e", "\\u12",
		"\xef\xbb\xbf", "\xf0\x9f\x98", " ", "\n", "\x00", "\x0b", "null", ":", "\\u", "\\ud800", "\\udc00", "\\'",
		"\\/", "1", "true", `"auths":null,`, `"auths":{},`, `"auth":7,`, `"":[],`,
	}
)

// auth makes a field auth, most often one that is nearly right.
func (g generator) auth() string {
	text := base64.StdEncoding.EncodeToString([]byte(one(g, logins...)))
	if g.chance(25) {
		text = strings.TrimRight(text, "=")
	}
	if g.chance(30) {
		for range g.IntN(6) {
			text += one(g, strings.Split("ABCDabYTo6Ojpw01+/", "")...)
		}
	}
	if g.chance(20) {
		text += one(g, "=", "==", "===")
	}
	for range one(g, 0, 0, 0, 1, 1, 3) {
		at := g.IntN(len(text) + 1)
		stray := one(g, "\n", "\r\n", "\r", "\n\n")
		if g.chance(30) {
			stray = one(g, " ", "=", "-", "_", "\t", "\u00a0", "\u3000", "\x0b", "\u200b", "\u0085", ":", "%")
		}
		text = text[:at] + stray + text[at:]
	}
	return text
}

// mixed makes a secret in which anything may be odd.
func (g generator) mixed(number int, image string) secret {
	made := g.secret(number, jsonType, nil)
	odd := one(g, 0, 0, 0, 10, 30)
	document := ""
	if g.chance(20) {
		made = g.secret(number, legacyType, nil)
		document = g.entries(image, odd)
	} else {
		fields := []string{g.field("auths", g.entries(image, odd))}
		if g.chance(20) {
			fields = append(fields, g.field("auths", one(g, g.entries(image, odd), "null")))
		}
		if g.chance(15) {
			headers := one(g, `{"a":"b"}`, `{"a":null}`, "null")
			if g.chance(odd) {
				headers = one(g, `{"a":1}`, one(g, values...))
			}
			fields = append(fields, g.field("HttpHeaders", headers))
		}
		if g.chance(15) {
			fields = append(fields, g.field(one(g, "credsStore", "x", "auth"), one(g, values...)))
		}
		document = g.object(fields)
	}
	if g.chance(2) {
		document = one(g, values...)
	}
	content := []byte(document)
	if g.chance(6) {
		content = g.damage(content)
	}
	for key := range made.Data {
		made.Data[key] = content
	}
	switch {
	case g.chance(2):
		made.Type = "Opaque"
	case g.chance(1):
		made.Type = one(g, jsonType, legacyType)
	case g.chance(1):
		made.Data = map[string][]byte{jsonKey: {}, legacyKey: {}}
	case g.chance(1):
		made.Name = "s0"
	}
	return made
}

func (g generator) entries(image string, odd int) string {
	var fields []string
	for range one(g, 0, 1, 1, 2, 3, 5) {
		fields = append(fields, g.text(g.name(image))+":"+g.entry(odd))
	}
	return g.object(fields)
}

func (g generator) entry(odd int) string {
	if g.chance(odd) {
		return one(g, "null", "null", "{}", one(g, values...))
	}
	value := func(text string) string {
		if g.chance(odd / 3) {
			return one(g, values...)
		}
		return g.text(text)
	}
	var fields []string
	if g.chance(80) {
		fields = append(fields, g.field("auth", value(g.auth())))
	}
	for _, name := range []string{"username", "password", "email"} {
		for g.chance(30) {
			fields = append(fields, g.field(name, value(one(g, "u", "p", `x"y`, "ü", "", "\U0001f600"))))
		}
	}
	if g.chance(10) {
		fields = append(fields, g.field(one(g, "identitytoken", "serveraddress", "x"), one(g, values...)))
	}
	return g.object(fields)
}

// field writes a field's name in letters of any case, which Go folds as Unicode does.
func (g generator) field(name, value string) string {
	var text strings.Builder
	for _, letter := range name {
		text.WriteRune(one(g, letter, letter, letter, unicode.ToUpper(letter), unicode.ToLower(letter)))
	}
	name = text.String()
	if g.chance(5) {
		name = strings.Replace(name, "s", "ſ", 1)
	}
	if g.chance(2) {
		name += one(g, "x", " ", "\u212a")
	}
	return g.text(name) + g.space() + ":" + g.space() + value
}

func (g generator) object(fields []string) string {
	g.Shuffle(len(fields), func(one, other int) { fields[one], fields[other] = fields[other], fields[one] })
	return "{" + g.space() + strings.Join(fields, g.space()+","+g.space()) + "}" + g.space()
}

func (g generator) space() string {
	if g.chance(90) {
		return ""
	}
	return one(g, " ", "\n", "\t", "\r\n")
}

// text writes a string with some of its characters, or all, as escapes.
func (g generator) text(text string) string {
	percent := one(g, 0, 0, 0, 50, 100)
	written := `"`
	for _, character := range text {
		switch {
		case character < 0x20 || g.chance(percent):
			for _, unit := range utf16.Encode([]rune{character}) {
				written += fmt.Sprintf(one(g, `\u%04x`, `\u%04X`), unit)
			}
		case character == '"' || character == '\\':
			written += `\` + string(character)
		default:
			written += string(character)
		}
	}
	return written + `"`
}

// damaged makes a secret whose document was good and then was not.
func (g generator) damaged() secret {
	if g.chance(30) {
		return g.secret(0, legacyType, g.damage([]byte(
			`{"reg.test":{"auth":"dTpw"},"reg.test/a":{"username":"u","email":null,"z":-12.5E-7}}`)))
	}
	return g.secret(0, jsonType, g.damage([]byte(
		`{"auths":{"reg.test":{"auth":"dTpw","username":"\u00e4\ud83d\ude00\n"},`+
			`"reg.test/a":{"password":"p","x":[1.5e+3,-0,true,null,{"a":[]}]}},"HttpHeaders":{"a":"b"}} `)))
}

func (g generator) damage(document []byte) []byte {
	for range one(g, 1, 1, 2, 3) {
		at := g.IntN(len(document) + 1)
		switch g.IntN(5) {
		case 0, 1:
			document = splice(document, at, at, []byte(one(g, shards...)))
		case 2:
			document = splice(document, at, min(at+1+g.IntN(4), len(document)), nil)
		case 3:
			document = document[:at]
		case 4:
			end := at + g.IntN(len(document)-at+1)
			document = splice(document, at, at, document[at:end])
		}
	}
	return document
}

// deep makes a document about as deep as Go reads one: 10,000 levels.
func (g generator) deep() []byte {
	open, closing := "[", "]"
	value := one(g, "", "1")
	if g.chance(50) {
		open, closing, value = `{"a":`, "}", "1"
	}
	levels := 9995 + g.IntN(8)
	deep := strings.Repeat(open, levels) + value + strings.Repeat(closing, levels)
	around := one(g, `%s`, `{"x":%s}`, `{"auths":{"reg.test":{"x":%s}}}`, `{"auths":{"reg.test":{"auth":%s}}}`,
		`{"auths":{"reg.test":%s}}`, `{"auths":%s}`)
	return fmt.Appendf(nil, around, deep)
}
