package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// figure is what was measured: a row of a table and, where REGISTRYCHECK_FIGURES names a file, a
// line of JSON in it, as tests/figures.rs has them.
type figure struct {
	Part      string     `json:"part"`
	What      string     `json:"what"`
	Unit      string     `json:"unit"`
	Ours      float64    `json:"ours"`
	Reference *reference `json:"reference"`
	Ratio     *float64   `json:"ratio"`
	// Most is how much it may be; with a reference, how many times that.
	Most *float64 `json:"most"`
	Met  *bool    `json:"met"`
}

type reference struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

func (f figure) say() error {
	row := fmt.Sprintf("%-24s %-44s %10.2f %-9s", f.Part, f.What, f.Ours, f.Unit)
	compared := f.Ours
	if f.Reference != nil {
		compared = f.Ours / f.Reference.Value
		ratio := rounded(compared)
		f.Ratio = &ratio
		row += fmt.Sprintf(" %10.2f %-24s ratio %5.2f", f.Reference.Value, f.Reference.Name, compared)
		f.Reference = &reference{f.Reference.Name, rounded(f.Reference.Value)}
	}
	if f.Most != nil {
		met := compared <= *f.Most
		f.Met = &met
		row += fmt.Sprintf("  at most %g: %s", *f.Most, map[bool]string{true: "met", false: "MISSED"}[met])
	}
	fmt.Println(row)
	f.Ours = rounded(f.Ours)
	name := os.Getenv("REGISTRYCHECK_FIGURES")
	if name == "" {
		return nil
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	line, err := json.Marshal(f)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, string(line))
	return err
}

func rounded(value float64) float64 { return math.Round(value*100) / 100 }
