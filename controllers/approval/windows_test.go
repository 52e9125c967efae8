// Copyright The Countersign Authors.
// SPDX-License-Identifier: Apache-2.0

package approval_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/api/v1alpha1"
	"github.com/countersign/countersign/controllers/approval"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

func berlin(t interface {
	Helper()
	Fatal(...any)
}) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// at is an instant by its UTC text.
func at(text string) time.Time {
	when, err := time.Parse("2006-01-02T15:04:05Z07:00", text)
	if err != nil {
		panic(err)
	}
	return when
}

func weekly(schedule string, d time.Duration) []approval.Window {
	return []approval.Window{{Schedule: schedule, Duration: d}}
}

// When it is open, and when it opens or, if it is open, closes next. In Berlin the
// clock goes from 2 to 3 on 2026-03-29 and from 3 to 2 on 2026-10-25, both at
// 01:00 UTC.
func TestWindows(t *testing.T) {
	office := approval.Windows{Allow: weekly("0 9 * * 1-5", 8*time.Hour), TimeZone: "Europe/Berlin"}
	frozen := approval.Windows{Allow: office.Allow, TimeZone: "Europe/Berlin", Exclude: []approval.Window{{From: at("2026-12-21T00:00:00Z"), To: at("2027-01-04T00:00:00Z")}}}
	night := approval.Windows{Exclude: weekly("30 2 * * *", 4*time.Hour), TimeZone: "Europe/Berlin"}
	early := approval.Windows{Allow: weekly("30 2 * * *", time.Hour), TimeZone: "Europe/Berlin"}
	across := approval.Windows{Exclude: weekly("0 22 * * 6", 10*time.Hour), TimeZone: "Europe/Berlin"}
	for name, tc := range map[string]struct {
		reason  string
		windows approval.Windows
		now     string
		open    bool
		next    string // opens, or closes; empty for never
	}{
		"None":                  {"without windows it is open at any time", approval.Windows{}, "2026-11-24T12:00:00Z", true, ""},
		"Open":                  {"in the window", office, "2026-11-24T12:00:00Z", true, "2026-11-24T16:00:00Z"},
		"FirstMoment":           {"it opens at the minute", office, "2026-11-24T08:00:00Z", true, "2026-11-24T16:00:00Z"},
		"BeforeFirstMoment":     {"and not before", office, "2026-11-24T07:59:59Z", false, "2026-11-24T08:00:00Z"},
		"LastMoment":            {"it lasts its whole duration", office, "2026-11-24T15:59:59Z", true, "2026-11-24T16:00:00Z"},
		"AfterLastMoment":       {"and no longer", office, "2026-11-24T16:00:00Z", false, "2026-11-25T08:00:00Z"},
		"Weekend":               {"on Saturday it waits for Monday", office, "2026-11-28T12:00:00Z", false, "2026-11-30T08:00:00Z"},
		"Summer":                {"the clock of the zone counts, not that of UTC", office, "2026-07-01T07:00:00Z", true, "2026-07-01T15:00:00Z"},
		"Excluded":              {"exclude wins", frozen, "2026-12-22T12:00:00Z", false, "2027-01-04T08:00:00Z"},
		"BeforeExcluded":        {"it closes when the exclusion begins", approval.Windows{Exclude: frozen.Exclude}, "2026-12-20T12:00:00Z", true, "2026-12-21T00:00:00Z"},
		"AfterExcluded":         {"an exclusion of the past is over", frozen, "2027-01-04T12:00:00Z", true, "2027-01-04T16:00:00Z"},
		"SpringWeekendToMonday": {"the Monday after the clock was changed", office, "2026-03-28T12:00:00Z", false, "2026-03-30T07:00:00Z"},
		"AutumnWeekendToMonday": {"and in autumn", office, "2026-10-24T12:00:00Z", false, "2026-10-26T08:00:00Z"},
		"SpringExcludeSkipped":  {"an exclusion that begins in the hour that is skipped is not skipped", night, "2026-03-29T01:00:00Z", false, "2026-03-29T04:30:00Z"},
		"SpringExcludeBefore":   {"before it, it is open", night, "2026-03-29T00:59:59Z", true, "2026-03-29T01:00:00Z"},
		"SpringAllowSkipped":    {"a window of the hour that is skipped is as long as it is left on the wall", early, "2026-03-29T01:10:00Z", true, "2026-03-29T01:30:00Z"},
		"SpringAllowOver":       {"and then waits for the next day", early, "2026-03-29T01:30:00Z", false, "2026-03-30T00:30:00Z"},
		"AutumnExcludeFirst":    {"what comes twice is excluded both times: the first", night, "2026-10-25T00:30:00Z", false, "2026-10-25T01:00:00Z"},
		"AutumnBetween":         {"and between them the wall shows a time that is not", night, "2026-10-25T01:10:00Z", true, "2026-10-25T01:30:00Z"},
		"AutumnExcludeSecond":   {"the second", night, "2026-10-25T01:30:00Z", false, "2026-10-25T05:30:00Z"},
		"SpringAcross":          {"a night in which an hour is skipped ends when the wall says so", across, "2026-03-29T05:59:00Z", false, "2026-03-29T06:00:00Z"},
		"AutumnAcross":          {"as does one with an hour more", across, "2026-10-25T06:59:00Z", false, "2026-10-25T07:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			p := with(policy("prod", users("qa", 1, "bob")), func(p *approval.Policy) { p.Windows, p.ValidFor = tc.windows, 10000*time.Hour })
			now := at(tc.now)
			v := approval.Evaluate([]approval.Policy{p}, approval.Subject{Digest: candidate, Authors: []string{"dev"}, AuthorsKnown: true},
				[]approval.Vote{{Slot: "bob", User: "bob", Decision: approval.Approve, Digest: candidate, At: now}}, now)
			if got := v.Outcome == approval.Approved; got != tc.open || !v.QuorumMet {
				t.Fatalf("%s: open is %v (%s), quorum %v", tc.reason, got, v.Message, v.QuorumMet)
			}
			next := v.OpensAt
			if tc.open {
				if next = v.ValidUntil; next.Equal(now.Add(10000 * time.Hour)) {
					next = time.Time{}
				}
			} else if v.Reason != v1alpha1.ReasonOutsideWindow || v.Outcome != approval.Pending {
				t.Errorf("%s: %v %s", tc.reason, v.Outcome, v.Reason)
			}
			want := time.Time{}
			if tc.next != "" {
				want = at(tc.next)
			}
			if !next.Equal(want) {
				t.Errorf("%s: next is %s, want %s", tc.reason, next.UTC(), want)
			}
		})
	}
}

// In either direction of the clock, the moment that is promised is the first at
// which the answer is another.
func TestWindowsAreAsPromised(t *testing.T) {
	zone := berlin(t)
	schedule := rapid.Custom(func(t *rapid.T) approval.Window {
		return approval.Window{
			Schedule: rapid.SampledFrom([]string{"0 2 * * *", "30 2 * * 0", "15 1 * * *", "0 */3 * * *", "59 23 28,29 3,10 *", "*/20 3 * * 6,0"}).Draw(t, "schedule"),
			Duration: time.Duration(rapid.IntRange(1, 300).Draw(t, "minutes")) * time.Minute,
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		w := approval.Windows{TimeZone: "Europe/Berlin", Allow: rapid.SliceOfN(schedule, 0, 2).Draw(t, "allow"), Exclude: rapid.SliceOfN(schedule, 0, 2).Draw(t, "exclude")}
		day := rapid.SampledFrom([]string{"2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z", "2026-06-06T12:00:00Z"}).Draw(t, "day")
		now := at(day).Add(time.Duration(rapid.IntRange(0, 48*60).Draw(t, "minute")) * time.Minute)
		policies := []approval.Policy{{Name: "p", Windows: w}}
		closed, next := approval.Closed(policies, now)
		if closed == "" || next.IsZero() || next.After(now.Add(20*24*time.Hour)) {
			return // far ahead, it is a moment to look again
		}
		if why, _ := approval.Closed(policies, next); why != "" {
			t.Fatalf("at %s it is to open at %s, and does not", now.In(zone), next.In(zone))
		}
		for then := now; then.Before(next) && then.Before(now.Add(72*time.Hour)); then = then.Add(time.Minute) {
			if why, _ := approval.Closed(policies, then); why == "" {
				t.Fatalf("at %s it is to open at %s, and is open at %s", now.In(zone), next.In(zone), then.In(zone))
			}
		}
	})
}

// What cannot be read, or is never open, lets nothing through and is told.
func TestBrokenWindows(t *testing.T) {
	for name, tc := range map[string]struct {
		reason  string
		windows approval.Windows
		says    string
	}{
		"NoSuchZone":    {"a zone that does not exist", approval.Windows{Allow: weekly("0 9 * * *", time.Hour), TimeZone: "Europe/Atlantis"}, `windows.timeZone "Europe/Atlantis" is not in the time zone database; write one such as Europe/Berlin`},
		"LocalZone":     {"the operator's own zone is nobody's", approval.Windows{Allow: weekly("0 9 * * *", time.Hour), TimeZone: "Local"}, "is not in the time zone database"},
		"Path":          {"a zone is no file", approval.Windows{Allow: weekly("0 9 * * *", time.Hour), TimeZone: "../etc/passwd"}, "is not in the time zone database"},
		"FourFields":    {"a schedule has five fields", approval.Windows{Allow: weekly("0 9 * *", time.Hour)}, `windows.allow[0].schedule "0 9 * *" cannot be read`},
		"SixFields":     {"not six", approval.Windows{Allow: weekly("0 0 9 * * *", time.Hour)}, "windows.allow[0].schedule"},
		"Hour24":        {"in their ranges", approval.Windows{Exclude: weekly("0 24 * * *", time.Hour)}, "windows.exclude[0].schedule"},
		"ZoneInside":    {"the zone is in its own field", approval.Windows{Allow: weekly("TZ=UTC 0 9 * * *", time.Hour)}, "characters that no schedule has"},
		"Descriptor":    {"words are not fields", approval.Windows{Allow: weekly("@every 1h", time.Hour)}, "characters that no schedule has"},
		"NoDuration":    {"what lasts no time is never open", approval.Windows{Allow: weekly("0 9 * * *", 0)}, "windows.allow[0].duration"},
		"Empty":         {"an exclusion that says nothing may mean anything", approval.Windows{Exclude: []approval.Window{{}}}, "windows.exclude[0]"},
		"Backwards":     {"it ends after it begins", approval.Windows{Exclude: []approval.Window{{From: noon(), To: noon()}}}, "from and a later to"},
		"HalfOpen":      {"both ends are needed", approval.Windows{Exclude: []approval.Window{{From: noon()}}}, "from and a later to"},
		"February30":    {"a day of no calendar", approval.Windows{Allow: weekly("0 9 30 2 *", time.Hour)}, "windows never open"},
		"AllExcluded":   {"all of it excluded", approval.Windows{Allow: weekly("0 9 * * 1", time.Hour), Exclude: weekly("0 8 * * *", 3*time.Hour)}, "windows never open"},
		"EveryMinute":   {"minute by minute", approval.Windows{Exclude: weekly("* * * * *", time.Minute)}, "windows never open"},
		"AlwaysExclude": {"everything excluded", approval.Windows{Exclude: weekly("0 0 * * *", 24*time.Hour)}, "windows never open"},
	} {
		t.Run(name, func(t *testing.T) {
			p := with(policy("prod", users("qa", 1, "bob")), func(p *approval.Policy) { p.Windows = tc.windows })
			if got := strings.Join(approval.Problems(p, noon()), "; "); !strings.Contains(got, tc.says) {
				t.Errorf("%s: the problems are %q, want %q", tc.reason, got, tc.says)
			}
			v := approval.Evaluate([]approval.Policy{p}, approval.Subject{Digest: candidate, Authors: []string{"dev"}, AuthorsKnown: true}, []approval.Vote{yes("bob")}, noon())
			if v.Outcome == approval.Pending && v.Reason == v1alpha1.ReasonOutsideWindow && strings.Contains(v.Message, "policy prod") {
				checkSentences(t, v)
				return
			}
			t.Errorf("%s: %v %s: %s", tc.reason, v.Outcome, v.Reason, v.Message)
		})
	}
}

// What no vote can ever meet is said before anyone waits.
func TestProblemsOfRules(t *testing.T) {
	for name, tc := range map[string]struct {
		policy approval.Policy
		says   string
	}{
		"sound":          {policy("prod", users("qa", 1, "bob")), ""},
		"nobody":         {policy("prod", users("qa", 1)), "rule qa can never be met, because "},
		"the second":     {policy("prod", users("qa", 1, "bob"), users("lead", 0, "erin")), "rule lead can never be met, because "},
		"nothing at all": {policy("prod"), "add rules, windows or a hold"},
		"a hold alone":   {approval.Policy{Name: "freeze", Hold: "x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(approval.Problems(tc.policy, noon()), "; "); !strings.Contains(got, tc.says) || tc.says == "" && got != "" {
				t.Errorf("the problems are %q, want %q", got, tc.says)
			}
		})
	}
}

// A freeze may be written minute by minute: it is over some time.
func TestLongFreezeIsNotForEver(t *testing.T) {
	p := with(policy("prod", users("qa", 1, "bob")), func(p *approval.Policy) { p.Windows.Exclude = weekly("* * 20-31 12 *", time.Minute) })
	now := at("2026-12-20T12:00:00Z")
	if got := approval.Problems(p, now); len(got) > 0 {
		t.Errorf("got %q", got)
	}
	looks := 0
	for closed, next := approval.Closed([]approval.Policy{p}, now); closed != ""; closed, next = approval.Closed([]approval.Policy{p}, now) {
		if looks++; !next.After(now) || looks > 100 || strings.Contains(closed, "foreseen") {
			t.Fatalf("at %s it looks again at %s: %s", now, next, closed)
		}
		now = next
	}
	if want := at("2027-01-01T00:00:00Z"); !now.Equal(want) {
		t.Errorf("it opens at %s, want %s", now, want)
	}
}

func TestWindowsFromSpec(t *testing.T) {
	from, to := metav1.NewTime(at("2026-12-21T00:00:00Z").In(berlin(t))), metav1.NewTime(at("2027-01-04T00:00:00Z"))
	got := approval.FromSpec("p", v1alpha1.ApprovalPolicySpec{Hold: "an incident", UnknownAuthor: "Strange", Windows: &v1alpha1.Windows{
		TimeZone: "Europe/Berlin", Allow: []v1alpha1.Window{{Schedule: "0 9 * * *", Duration: metav1.Duration{Duration: time.Hour}}},
		Exclude: []v1alpha1.Exclusion{{Schedule: "0 10 * * *", Duration: &metav1.Duration{Duration: time.Minute}}, {From: &from, To: &to}},
	}})
	if got.Hold != "an incident" || !got.RefuseUnknownAuthor {
		t.Errorf("got %+v", got)
	}
	w := got.Windows
	if w.TimeZone != "Europe/Berlin" || w.Allow[0] != weekly("0 9 * * *", time.Hour)[0] || w.Exclude[0] != weekly("0 10 * * *", time.Minute)[0] ||
		!w.Exclude[1].From.Equal(from.Time) || w.Exclude[1].From.Location() != time.UTC || !w.Exclude[1].To.Equal(to.Time) {
		t.Errorf("got %+v", w)
	}
}
