package html_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/report/html"
)

func ExampleWrite() {
	d := &report.Document{Kind: report.Failed, Error: &report.Error{Message: "the source did not answer", Action: report.StepRetryWithSource, TargetUntouched: true, Retryable: true}}
	var page bytes.Buffer
	if err := html.Write(&page, d); err != nil {
		panic(err)
	}
	fmt.Println(strings.Contains(page.String(), "The rewind failed. The target was not changed."))
	// Output: true
}
