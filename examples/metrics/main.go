// Metrics rewinds, and reports to OpenTelemetry and Prometheus what that took: a span
// for each phase, and a histogram of the phases' durations by result. It is a module of
// its own, since the library needs neither.
//
//	go run . -target DIRECTORY -source DIRECTORY -metrics /var/lib/node_exporter/rewind.prom
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
)

// observer makes a span, as a child of the context's, and an observation for each
// phase.
func observer(ctx context.Context, tracer trace.Tracer, seconds *prometheus.HistogramVec) rewind.Observer {
	var span trace.Span
	return rewind.Observer{
		PhaseBegan: func(p rewind.Phase) { _, span = tracer.Start(ctx, "rewind."+string(p)) },
		PhaseEnded: func(p rewind.PhaseResult, err error) {
			ended := "well"
			if failed := (*rewind.Error)(nil); errors.As(err, &failed) {
				ended = string(failed.Condition)
				span.SetStatus(codes.Error, ended)
			}
			span.SetAttributes(attribute.Int64("gorewind.fetched_bytes", p.Bytes))
			span.End()
			seconds.WithLabelValues(string(p.Phase), ended).Observe(p.Duration.Seconds())
		},
	}
}

func main() {
	target := flag.String("target", "", "data `directory` to rewind")
	from := flag.String("source", "", "data `directory` to rewind it to")
	metrics := flag.String("metrics", "", "`file` for the textfile collector of Prometheus' node exporter")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *target, *from, *metrics)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run exports what a rewind took, however it ends. Here spans go to standard output; a
// program would use its own exporter.
func run(ctx context.Context, target, from, metrics string) error {
	exporter, err := stdouttrace.New(stdouttrace.WithPrettyPrint())
	if err != nil {
		return err
	}
	tracing := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	registry := prometheus.NewRegistry()
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gorewind_phase_seconds", Help: "What the phases of rewinds took, by how they ended.",
		Buckets: prometheus.ExponentialBuckets(0.01, 4, 10),
	}, []string{"phase", "ended"})
	registry.MustRegister(seconds)

	ctx, whole := tracing.Tracer("gorewind").Start(ctx, "rewind")
	err = rewindTo(ctx, target, from, observer(ctx, tracing.Tracer("gorewind"), seconds))
	whole.End()
	err = errors.Join(err, tracing.Shutdown(context.WithoutCancel(ctx)))
	if metrics != "" {
		err = errors.Join(err, prometheus.WriteToTextfile(metrics, registry))
	}
	return err
}

func rewindTo(ctx context.Context, target, from string, o rewind.Observer) error {
	src, err := source.OpenDir(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	r, err := rewind.Prepare(ctx, rewind.Options{TargetDir: target, Source: src, FinishCommitted: true, Observer: o})
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Apply(ctx)
}
