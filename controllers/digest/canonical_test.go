// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package digest_test

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign/countersign/controllers/digest"
	"pgregory.net/rapid"
)

// The examples of RFC 8785 and what it leaves to those who use it.
func TestCanonical(t *testing.T) {
	for name, tc := range map[string]struct {
		reason    string
		in        any
		want, err string
	}{
		"Example": {"RFC 8785 section 3.2.2 and 3.2.3", json.RawMessage("{\"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],\"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\": [null, true, false]}"),
			"{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}", ""},
		"SortedByUTF16": {"RFC 8785 section 3.2.3: members are sorted by UTF-16 units", map[string]string{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One", "\U0001f600": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"},
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}", ""},
		"NotEscaped":        {"what encoding/json escapes for browsers is not", "<&>\u2028\u2029\u007f", "\"<&>\u2028\u2029\u007f\"", ""},
		"Composition":       {"RFC 8785 section 3.1: text is not normalised", []string{"A\u030a", "\u00c5"}, "[\"A\u030a\",\"\u00c5\"]", ""},
		"Null":              {"alone", nil, "null", ""},
		"EmptyList":         {"an empty list is one", []int{}, "[]", ""},
		"LargestInteger":    {"RFC 7493: up to 2^53-1 all are exact", []int64{math.MaxInt32, 1<<53 - 1, -(1<<53 - 1)}, "[2147483647,9007199254740991,-9007199254740991]", ""},
		"IntegerTooLarge":   {"2^53 and 2^53+1 are one double", int64(1 << 53), "", "9007199254740992 is too large"},
		"IntegerTooSmall":   {"and below", int64(-1 << 53), "", "-9007199254740992 is too large"},
		"UnsignedTooLarge":  {"whatever the type", uint64(math.MaxUint64), "", "18446744073709551615 is too large"},
		"IntegerInDepth":    {"wherever it is", map[string]any{"a": []any{map[string]int64{"b": math.MaxInt64}}}, "", "too large"},
		"LongInteger":       {"also with more digits than any type has", json.RawMessage(strings.Repeat("9", 400)), "", "too large"},
		"DigitsInText":      {"digits in a text are no number", "9007199254740993", "\"9007199254740993\"", ""},
		"QuoteInText":       {"a text ends where it ends", "\" 9007199254740993 \\", "\"\\\" 9007199254740993 \\\\\"", ""},
		"RoundLarge":        {"nor is a double above it, which other integers become", 1e16, "", "10000000000000000 is too large"},
		"RoundExponent":     {"however it is written", json.RawMessage("1e16"), "", "10000000000000000 is too large"},
		"NaN":               {"has no JSON", math.NaN(), "", "unsupported value"},
		"Infinity":          {"neither has this", math.Inf(1), "", "unsupported value"},
		"OutOfRange":        {"nor this", json.RawMessage("1e400"), "", "out of range"},
		"DuplicateMember":   {"RFC 8785 section 3.1: no member twice", json.RawMessage("{\"a\":1,\"a\":2}"), "", "uplicate"},
		"NotUTF8":           {"other bytes than UTF-8 all become U+FFFD", "a\xff", "", "not UTF-8"},
		"NotUTF8Member":     {"in names too", map[string]int{"\xfe": 1}, "", "not UTF-8"},
		"ReplacementItself": {"a real U+FFFD is a character", "\ufffd", "\"\ufffd\"", ""},
		"EscapeInText":      {"text that looks like the escape is text", "\\ufffd", "\"\\\\ufffd\"", ""},
		"LoneSurrogate":     {"RFC 8785 section 3.2.2.2: no lone surrogates", json.RawMessage("\"\\ud800 alone\""), "", "urrogate"},
		"NoJSON":            {"a function is no value", map[string]any{"f": func() {}}, "", "unsupported type"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := digest.Canonical(tc.in)
			if string(got) != tc.want {
				t.Errorf("%s:\n got %s\nwant %s", tc.reason, got, tc.want)
			}
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: got error %v, want one that says %q", tc.reason, err, tc.err)
			}
		})
	}
}

// The numbers of RFC 8785 appendix B, by their IEEE 754 bits.
func TestCanonicalNumbers(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0", 0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0xffefffffffffffff: "-1.7976931348623157e+308",
		0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23", 0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x3eb0c6f7a0b5ed8d: "0.000001", 0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7",
		0x41b3de4355555553: "333333333.3333332", 0x41b3de4355555554: "333333333.33333325", 0x41b3de4355555555: "333333333.3333333",
		0x41b3de4355555556: "333333333.3333334", 0x41b3de4355555557: "333333333.33333343", 0xbecbf647612f3696: "-0.0000033333333333333333",
		0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		if got, err := digest.Canonical(math.Float64frombits(bits)); err != nil || string(got) != want {
			t.Errorf("%016x: got %s, %v, want %s", bits, got, err, want)
		}
	}
}

// What is refused is just what would be lost: reading canonical JSON back gives
// the value, and making it canonical again changes nothing.
func TestCanonicalLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := map[string]any{
			"text": rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text"),
			"int":  rapid.Int64().Draw(t, "int"), "float": rapid.Float64().Draw(t, "float"),
			"map": rapid.MapOf(rapid.String(), rapid.Bool()).Draw(t, "map"),
		}
		got, err := digest.Canonical(in)
		if err != nil {
			return
		}
		var out struct {
			Text  string
			Int   int64
			Float float64
			Map   map[string]bool
		}
		if err := json.Unmarshal(got, &out); err != nil {
			t.Fatal(err)
		}
		if out.Text != in["text"] || out.Int != in["int"] || out.Float != in["float"] || len(out.Map) != len(in["map"].(map[string]bool)) {
			t.Fatalf("%s is read as %+v", got, out)
		}
		if again, err := digest.Canonical(json.RawMessage(got)); err != nil || string(again) != string(got) {
			t.Fatalf("again: %s, %v, was %s", again, err, got)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"{}", "[1e3,-0]", "{\"a\":[null,{\"b\":\"\\u20ac\"}]}", "9007199254740993", "\"\\ufffd\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := digest.Canonical(json.RawMessage(raw))
		if err != nil {
			return
		}
		if again, err := digest.Canonical(json.RawMessage(got)); err != nil || string(again) != string(got) {
			t.Fatalf("%s becomes %s (%s), %v", raw, got, strconv.Quote(string(again)), err)
		}
	})
}
