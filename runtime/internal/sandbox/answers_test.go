// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"encoding/binary"
	"testing"
)

func frame(length, stream uint32, kind uint8) []byte {
	wire := binary.BigEndian.AppendUint32(nil, length)
	wire = binary.BigEndian.AppendUint32(wire, stream)
	return append(append(wire, kind, 0), make([]byte, length)...)
}

func TestOneAnswerToEachCallAndNothingElse(t *testing.T) {
	for name, test := range map[string]struct {
		answers [][]byte
		fine    bool
	}{
		"an answer to each, in any order":  {[][]byte{frame(5, 3, typeResponse), frame(0, 1, typeResponse)}, true},
		"the largest answer":               {[][]byte{frame(maxAnswer, 1, typeResponse)}, true},
		"a longer one":                     {[][]byte{frame(maxAnswer+1, 1, typeResponse)}, false},
		"two answers":                      {[][]byte{frame(1, 1, typeResponse), frame(1, 1, typeResponse)}, false},
		"an answer to a call never made":   {[][]byte{frame(0, 5, typeResponse)}, false},
		"data, as of a call that streams":  {[][]byte{frame(1, 1, 3)}, false},
		"a call, as if the host served it": {[][]byte{frame(1, 1, typeRequest)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1, 7, 10, 1 << 22} { // the reader decides how much it reads at a time
				var a answers
				for _, stream := range []uint32{1, 3} {
					if err := a.call(frame(20, stream, typeRequest)); err != nil {
						t.Fatal(err)
					}
				}
				var err error
				for _, wire := range test.answers {
					for len(wire) > 0 && err == nil {
						n := min(piece, len(wire))
						err = a.answer(wire[:n])
						wire = wire[n:]
					}
				}
				if (err == nil) != test.fine {
					t.Errorf("in pieces of %d: %v", piece, err)
				}
			}
		})
	}
}

func TestAGuestThatAnswersNothingIsGivenUp(t *testing.T) {
	var a answers
	var err error
	calls := uint32(0)
	for ; err == nil && calls <= 2*maxUnanswered; calls++ {
		err = a.call(frame(1, 2*calls+1, typeRequest))
	}
	if err == nil || calls != maxUnanswered+1 {
		t.Errorf("after %d calls: %v", calls, err)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(frame(5, 1, typeResponse), 3)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, 1)
	f.Fuzz(func(t *testing.T, wire []byte, piece int) {
		if piece < 1 {
			t.Skip()
		}
		var whole, parts answers
		for _, a := range []*answers{&whole, &parts} {
			if err := a.call(frame(0, 1, typeRequest)); err != nil {
				t.Fatal(err)
			}
		}
		want := whole.answer(wire)
		var got error
		for rest := wire; len(rest) > 0 && got == nil; {
			n := min(piece, len(rest))
			got = parts.answer(rest[:n])
			rest = rest[n:]
		}
		if (want == nil) != (got == nil) {
			t.Errorf("whole %v, in pieces of %d %v", want, piece, got)
		}
	})
}
