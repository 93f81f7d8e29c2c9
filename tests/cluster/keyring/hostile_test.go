package keyring

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

var (
	hosts = []string{
		"reg.test", "REG.test", "reg.test:5000", "reg.test:05000", "reg.test:", "reg.test:99999999999999999999",
		"127.0.0.1", "127.0.0.1:5000", "0x7f.1", "1", "xn--rg-eka.test", "reg-.test", "a.b.c.d.e.f.g.h", "localhost",
		"LOCALHOST", "localhost:0", "[::1]", "[::1]:5000", "[FE80::1]", "[fe80::1]:1", "[1:2:3:4:5:6:7:8]",
		"[::ffff:127.0.0.1]", "[::]", "index.docker.io", "docker.io", "Docker.io", "registry-1.docker.io", "io",
		"my_reg.test", "r__g.test", "reg..test", ".reg.test", "reg.test.", "k.test", "s.test",
	}
	// What a host may have around it, or in the place of one of its characters.
	hostShards = []string{
		"%25", "%2525", "%252525", "%ff", "%25ff", "%2525ff", "%c3%a9", "é", "é", "\u212a", "ſ", "İ", "ß", "．", "。",
		"%2e", "%252e", "%2E", "*", "**", "*.*", "?", "[a-z]", "[^a]", "[", "]", "\\", "\\*", "~", "!", "$", "&", "'",
		"(", ")", "+", ",", ";", "=", "<", ">", "\"", "|", "{", "}", "^", "`", " ", "\t", "\x00", "\x7f", "\u0085", "@",
		"@@", "u:p@", "u%3ap@", "u@v@", ":", "::", ":0", ":443", ":80", ":%35", "#", "#%", "#%zz", "#%41", "?", "??",
		"://", "https://", "http://", "hTTps://", "//", "///", "ftp://", "\ufeff", "\u202e", "\U0001f433", "%00", "%0a",
		"%2500", "%%", "%", "%2", "%g0", "%E2%84%AA",
	}
	pathShards = []string{
		"/", "//", "/.", "/..", "/./", "/../", "/v1", "/v2", "/v1/", "/v2/", "/v1//", "/v1/v2/", "/v3/", "/V1/", "%2f",
		"%2F", "%252f", "%252F", "%2fv1%2f", "/%761/", "/v%31/", "/v1%2f", "+", "%20", "%2B", "%3f", "%253f", "%3Fx",
		"%23", "%2523", "%25", "%2525", "%", "%zz", "*", "?", "?a=b", "#", "#a", ";a", ":", "@", "\\", "%00", "%ff", "%c3",
		"é", "%C3%A9", "app", "team", "library", "ap", "a",
	}
	// Names of which each stands for the same as some other, to one who reads them wrongly.
	bytesNames = []string{
		"reg.test/\xff", "reg.test/\xfe", "reg.test/\xc3", "reg.test/\xe2\x84", "reg.test/\xf0\x9f\x90", "reg.test/\xed\xa0\x80",
		`reg.test/\ud800`, `reg.test/\udc00`, `reg.test/\ud800\ud800`, `reg.test/\ud800\udc00`, `reg.test/\ufffd`,
		`reg.test/\u0000`, `reg.test\u002f`, `\u0072eg.test`, `reg\u002etest`, `reg.test\/`, `reg.test\/app`, "reg.test",
		"reg.test/", `\/`, `https:\/\/reg.test`, `\u212a.test`, `\u017f.test`, "s.test", "k.test", "\xff", "", `\b`,
	}
	numbers = []string{
		"0", "-0", "00", "01", "-", "+1", "1.", ".5", "1.e1", "1e", "1e+", "1E-0", "1e99999", "-1e-99999", "0x1", "NaN", "Infinity",
		"123456789012345678901234567890123456789012345678901234567890", "1_000", "1e5.5", "--1",
	}
	fieldNames = []string{
		"auths", "AUTHS", "aut\\u0068s", "auth\\u017f", "auth\u017f", "authS", "auths ", "auths\\u0000", "auth", "HttpHeaders", "httpheaders",
		"HTTPHEADER\u017f", "credsStore", "credHelpers", "", "auths\xff",
	}
)

// hostile makes a question of which each part was written by somebody who knows the rules, and
// looks for where two readers of them part.
func (g generator) hostile(place int) question {
	q := question{ID: strconv.Itoa(place), Secrets: []secret{}}
	q.Image = g.hostileImage()
	switch g.IntN(10) {
	case 0, 1, 2, 3:
		for number := range 1 + g.IntN(4) {
			q.Secrets = append(q.Secrets, g.crowd(number, q.Image, false))
		}
	case 4, 5:
		q.Image = one(g, "reg.test/app", "reg.test/app/a", "k.test/a", "s.test/a", "reg.test/a")
		for number := range 1 + g.IntN(2) {
			q.Secrets = append(q.Secrets, g.crowd(number, q.Image, true))
		}
	case 6:
		q.Image = "reg.test/app"
		q.Secrets = append(q.Secrets, g.secret(0, jsonType, []byte(g.hostileDocument())))
	case 7:
		q.Image = "reg.test/app"
		document := `{"auths":{"reg.test":{"auth":` + g.text(g.hostileAuth()) + `}}}`
		q.Secrets = append(q.Secrets, g.secret(0, jsonType, []byte(document)))
	case 8:
		// One login under many names of one registry, in several secrets of one name.
		for number := range 2 + g.IntN(5) {
			made := g.crowd(number, q.Image, false)
			made.Name = one(g, "s", "s", "t", "")
			q.Secrets = append(q.Secrets, made)
		}
	case 9:
		both := g.secret(0, jsonType, []byte(`{"auths":{"reg.test":{"username":"j"}}}`))
		both.Data[legacyKey] = []byte(`{"reg.test":{"username":"l"}}`)
		both.Data[one(g, ".DockerConfigJson", "config.json", ".dockerconfigjson ")] = []byte("x")
		both.Type = one(g, jsonType, legacyType, "", "Opaque", jsonType+" ", strings.ToUpper(jsonType))
		q.Image = "reg.test/app"
		q.Secrets = append(q.Secrets, both, g.crowd(1, q.Image, false))
	}
	return q
}

func (g generator) hostileImage() string {
	image := one(g, hosts...) + "/" + one(g, "app", "team/app", "library/app", "v1/app", "v2/team/app", "a/b/c/d/e")
	switch g.IntN(8) {
	case 0:
		image += one(g, ":1", ":latest", ":", ":_", ":-", ":.a", ":A_b-c.d", ":"+strings.Repeat("t", 127+g.IntN(3)))
	case 1:
		image += one(g, "@sha256:"+hex64, ":1@sha256:"+hex64, "@sha256:"+strings.ToUpper(hex64), "@sha256:"+hex64[:63],
			"@sha512:"+hex64, "@md5:"+hex64[:32], "@sha256+b64:"+hex64, "@SHA256:"+hex64, "@sha256:"+hex64+":1", "@", "@sha256:")
	case 2:
		image = g.mutate(image, hostShards)
	case 3:
		host, path, _ := strings.Cut(image, "/")
		image = one(g, strings.ToUpper(host), strings.ToLower(host)) + "/" + g.mutate(path, pathShards)
	case 4:
		long := strings.Repeat(one(g, "a", "a.", "ab-", "a/"), g.IntN(140))
		image = one(g, long+image, long+"b.test/app", image+"/"+long+"b")
	}
	return image
}

// crowd makes a secret of many entries whose names are near the image's, and whose keys are
// often the same.
func (g generator) crowd(number int, image string, raw bool) secret {
	var fields []string
	for place := range one(g, 1, 2, 4, 8, 16) {
		login := fmt.Sprintf(`{"username":"%d-%d"}`, number, place)
		if g.chance(10) {
			login = one(g, "null", "{}", `{"auth":""}`, `{"auth":null,"username":"x"}`, `{"email":null}`, `{"Auth":"dTpw","AUTH":""}`)
		}
		name := ""
		if raw {
			name = `"` + one(g, bytesNames...) + `"`
		} else {
			name = g.text(g.hostileName(image))
		}
		fields = append(fields, name+":"+login)
	}
	entries := "{" + strings.Join(fields, ",") + "}"
	if g.chance(25) {
		return g.secret(number, legacyType, []byte(entries))
	}
	name := one(g, "auths", "auths", "auths", "AUTHS", "auth\u017f", `\u0061uths`)
	return g.secret(number, jsonType, []byte(`{"`+name+`":`+entries+`}`))
}

func (g generator) hostileName(image string) string {
	host, path, _ := strings.Cut(image, "/")
	path, _, _ = strings.Cut(path, "@")
	path, _, _ = strings.Cut(path, ":")
	if g.chance(30) {
		host = one(g, hosts...)
	}
	if g.chance(20) {
		labels := strings.Split(host, ".")
		labels[g.IntN(len(labels))] = one(g, "*", "*", "**", "r*", "*t", "[a-z]*", "?", "\\*", "")
		host = strings.Join(labels, ".")
	}
	if g.chance(40) {
		host = g.mutate(host, hostShards)
	}
	name := host
	switch g.IntN(5) {
	case 0:
		name += "/" + path[:g.IntN(len(path)+1)]
	case 1:
		name += one(g, pathShards...) + g.escape(path)
	case 2:
		name += "/" + g.escape(g.escape(path))
	case 3:
		name += g.mutate("/"+path, pathShards)
	}
	if g.chance(25) {
		name = one(g, "https://", "http://", "HTTPS://", "https:/", "https:", "://", "//", "ftp://", "https://https://", "https://http://",
			"https://u:p@", "https://@", "https://u@v@", "https://u%2f@", "https://u:p:q@", " https://", "https:// ") + name
	}
	if g.chance(2) {
		name += strings.Repeat(one(g, ".a", "/a", "%41", "a", "*"), 3000)
	}
	return name
}

func (g generator) hostileAuth() string {
	login := one(g, logins...)
	if g.chance(20) {
		login = strings.Repeat("u", g.IntN(70)) + ":" + strings.Repeat("p", g.IntN(70))
	}
	encoding := one(g, base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding)
	text := encoding.EncodeToString([]byte(login))
	switch g.IntN(8) {
	case 0:
		text = strings.Join(strings.Split(text, ""), one(g, "\n", "\r", "\r\n", "\n\r"))
	case 1:
		text += one(g, "\n", "\r\n", "\n\n", " ", "\t", "\v", "\f", "\u0085", "\u00a0", "\u2003", "\u2028", "\u3000", "\u200b", "\ufeff", "\x1c")
	case 2:
		text = one(g, "\n", "\r", " ", "\u00a0", "=", "\x00") + text
	case 3:
		text = strings.Replace(text, "=", one(g, "=\n", "\n=", "\r=\r", "= ", "==", "=\u00a0", ""), 1)
	case 4:
		text += one(g, "=", "==", "===", "A", "AA", "AAA", "AAAA", "=A", "=\nA", "=\n=")
	case 5:
		at := g.IntN(len(text) + 1)
		text = text[:at] + one(g, "=", "\n", "\r", "-", "_", ".", "\x00", "é", "Ａ", "+", "/") + text[at:]
	}
	return text
}

// hostileDocument puts several fields of one name, numbers that are none, and names that fold
// to others, into one document.
func (g generator) hostileDocument() string {
	value := func() string {
		switch g.IntN(6) {
		case 0:
			return one(g, numbers...)
		case 1:
			return one(g, values...)
		case 2:
			return `{"reg.test":{"username":"` + one(g, "a", "b") + `"}}`
		case 3:
			return `{"reg.test":{"auth":"dTpw"},"reg.test":` + one(g, "null", "{}", `{"password":"q"}`, `{"auth":"!"}`) + `}`
		case 4:
			return `{"` + one(g, bytesNames...) + `":{"` + one(g, "auth", "AUTH", "a\\u0075th", "username", "u\u017fername", "pa\u017f\u017fword", "\u212aey") + `":` +
				one(g, `"dTpw"`, `"x"`, "null", "7", `""`) + `}}`
		}
		return one(g, "null", "{}", "[]", `""`, "true")
	}
	var fields []string
	for range g.IntN(5) {
		fields = append(fields, g.space()+`"`+one(g, fieldNames...)+`"`+g.space()+":"+g.space()+value())
	}
	document := "{" + strings.Join(fields, ",") + "}"
	switch g.IntN(12) {
	case 0:
		document = one(g, "\ufeff", "\xff\xfe", " ", "\n\r\t", "\u00a0", "//\n", "\x00") + document
	case 1:
		document += one(g, " ", "\n", "\x00", "{}", ",", "\x1a", "\u00a0", "]")
	case 2:
		document = strings.Replace(document, ",", one(g, ",,", ", ", ";", ",\n"), 1)
	}
	return document
}
