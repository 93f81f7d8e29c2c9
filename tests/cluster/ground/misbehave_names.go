package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
)

// The codes and types of RFC 1035 that are used here.
const (
	dnsServerFailure = 2
	dnsNameError     = 3
	dnsTypeA         = 1
	dnsTypeAlias     = 5
)

// answerNames answers for the zones of the lab, as wrongly as each host wants.
func (l *lab) answerNames(failures chan<- error) error {
	if err := tool(nil, "ip", "address", "replace", misbehaveNames+"/32", "dev", "lo"); err != nil {
		return err
	}
	connection, err := net.ListenPacket("udp", misbehaveNames+":53")
	if err != nil {
		return err
	}
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := connection.ReadFrom(buffer)
			if err != nil {
				failures <- err
				return
			}
			if response := l.resolve(buffer[:n]); response != nil {
				_, _ = connection.WriteTo(response, from)
			}
		}
	}()
	return nil
}

// resolve answers one question; nil is silence.
func (l *lab) resolve(query []byte) []byte {
	name, rest, ok := readQuestion(query)
	if !ok {
		return nil
	}
	kind := binary.BigEndian.Uint16(query[rest:])
	response := append([]byte(nil), query[:rest+4]...)
	response[2], response[3] = 0x85, 0x80 // an answer, authoritative, recursion available
	for i := 6; i < 12; i++ {
		response[i] = 0
	}
	reply := func(code byte) []byte {
		response[3] |= code
		return response
	}
	host, aliases := l.byAlias(name)
	if host == nil {
		return reply(dnsNameError)
	}
	// The answer tells all names up to the last, and each by what came before;
	// who asks for an alias itself gets that one.
	owner := []byte{0xc0, 12}
	if kind == dnsTypeAlias && len(aliases) > 0 {
		response[7] = 1
		return append(response, record(owner, dnsTypeAlias, encodeName(aliases[0]))...)
	}
	for _, alias := range aliases {
		response[7]++
		response = append(response, record(owner, dnsTypeAlias, encodeName(alias))...)
		owner = encodeName(alias)
	}
	lookup := host.Lookup
	if lookup != "" && l.mended(host) {
		lookup = ""
	}
	target, isAlias := strings.CutPrefix(lookup, "alias:")
	switch {
	case lookup == "nxdomain":
		return reply(dnsNameError)
	case lookup == "servfail":
		return reply(dnsServerFailure)
	case lookup == "silent":
		return nil
	case lookup == "empty":
		return reply(0)
	case isAlias:
		aliased := l.byName(target)
		if aliased == nil {
			return reply(dnsNameError)
		}
		response[7] = 1
		response = append(response, record([]byte{0xc0, 12}, dnsTypeAlias, encodeName(target))...)
		if kind == dnsTypeA {
			response[7] = 2
			response = append(response, record(encodeName(target), dnsTypeA, addressBytes(aliased.address))...)
		}
		return response
	case kind != dnsTypeA:
		return reply(0)
	}
	address := host.address
	if then, changes := strings.CutPrefix(lookup, "then:"); changes && host.lookedUp {
		address = netip.MustParseAddr(then)
	}
	host.lookedUp = true
	response[7]++
	return append(response, record(owner, dnsTypeA, addressBytes(address))...)
}

// byAlias is the host with that name, or with an alias of that name, and the
// aliases after it.
func (l *lab) byAlias(name string) (*misbehaving, []string) {
	if host := l.byName(name); host != nil {
		return host, host.Chain
	}
	for _, host := range l.hosts {
		for i, alias := range host.Chain {
			if strings.EqualFold(alias, name) {
				return host, host.Chain[i+1:]
			}
		}
	}
	return nil, nil
}

func (l *lab) byName(name string) *misbehaving {
	for _, host := range l.hosts {
		if strings.EqualFold(host.Name, name) {
			return host
		}
	}
	return nil
}

// readQuestion reads the first question's name, and where its type stands.
func readQuestion(query []byte) (name string, end int, ok bool) {
	if len(query) < 12 || binary.BigEndian.Uint16(query[4:]) == 0 {
		return "", 0, false
	}
	var labels []string
	at := 12
	for at < len(query) && query[at] != 0 {
		length := int(query[at])
		if length > 63 || at+1+length >= len(query) {
			return "", 0, false
		}
		labels = append(labels, string(query[at+1:at+1+length]))
		at += 1 + length
	}
	return strings.Join(labels, "."), at + 1, at+5 <= len(query)
}

func encodeName(name string) []byte {
	var encoded []byte
	for _, label := range strings.Split(name, ".") {
		encoded = append(append(encoded, byte(len(label))), label...)
	}
	return append(encoded, 0)
}

func addressBytes(address netip.Addr) []byte {
	bytes := address.As4()
	return bytes[:]
}

// record is a resource record of class IN that nobody shall remember.
func record(name []byte, kind uint16, data []byte) []byte {
	encoded := append([]byte(nil), name...)
	encoded = binary.BigEndian.AppendUint16(encoded, kind)
	encoded = binary.BigEndian.AppendUint16(encoded, 1)
	encoded = binary.BigEndian.AppendUint32(encoded, 0)
	encoded = binary.BigEndian.AppendUint16(encoded, uint16(len(data)))
	return append(encoded, data...)
}
