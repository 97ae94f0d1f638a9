# Comfort on top of the two commands that do everything: go run ./demo, go test ./...

GOLANGCI = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME ?= 30s

# What -V says. Who builds without git names both.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS = -s -w -X main.release=$(VERSION) -X main.commit=$(COMMIT)
BINARY ?= bin/gorewind
DIST ?= dist
MAXSIZE = 15000000

# Modules of their own: nobody who imports gorewind needs what they need.
MODULES = examples/failback examples/resync examples/metrics examples/harness internal/pgtest/download/embedded internal/schemacheck/genuine

TORTURE ?= 20
TORTURETIME ?= 60m

SCALE ?= small
MAJOR ?= 15
BENCHFLAGS ?=

.PHONY: all build size dist demo test torture race lint apidiff cross fuzz bench gobench
all: build

build: ## one static binary: bin/gorewind
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BINARY) ./cmd/gorewind

size: ## the program for linux/amd64 must be smaller than MAXSIZE bytes
	@GOOS=linux GOARCH=amd64 $(MAKE) -s build BINARY=bin/gorewind-linux-amd64
	@size=$$(wc -c <bin/gorewind-linux-amd64); echo "$$size bytes"; [ "$$size" -lt $(MAXSIZE) ] || { \
		echo "too large: $(MAXSIZE) or more. Whatever calls methods by name, such as text/template," >&2; \
		echo "keeps every exported method: 2 MB. What costs: go tool nm -size -sort size" >&2; exit 1; }

dist: ## what is published of a release, in dist/: archives, packages, SBOM, SHA256SUMS
	VERSION='$(VERSION)' COMMIT='$(COMMIT)' PLATFORMS='$(PLATFORMS)' LDFLAGS='$(LDFLAGS)' packaging/dist.sh $(DIST)

demo: ## a failover and a rewind, step by step
	go run ./demo

test: ## everything, on real servers of every major
	go test ./...

torture: ## every instant and every death, not only a sample, power cuts, kills histories and flipped bits TORTURE times as often; no longer than TORTURETIME a package
	GOREWIND_TORTURE=$(TORTURE) go test ./source/pgsource -run 'TestASourceThatAttacks' -v -count 1 -timeout $(TORTURETIME)
	GOREWIND_TORTURE=$(TORTURE) go test ./rewind -run 'TestEvery|TestKilled|TestFullDisk|TestFlippedBits' -v -count 1 -timeout $(TORTURETIME)
	GOREWIND_TORTURE=$(TORTURE) go test ./internal/endtoend/... -v -count 1 -timeout $(TORTURETIME)

race: ## with the race detector (needs a C compiler), on the oldest and the newest major; not the situations, which differ in what servers did
	CGO_ENABLED=1 GOREWIND_TEST_MAJORS=9.6,18 go test -race -timeout 20m $$(go list ./... | grep -vE 'endtoend/(sides|wal|files|recovery)$$')

lint: ## formatting, vet, linters
	go vet ./... ./testdata/makeclusters
	go run $(GOLANGCI) run ./... ./testdata/makeclusters
	@for m in $(MODULES); do echo $$m; (cd $$m && go vet ./... && go run $(GOLANGCI) run ./...) || exit 1; done

apidiff: ## what of the API is no longer as it was since BASE, the last release by default; breaks must be in the changelog
	.ci/apidiff $(BASE)

cross: ## builds for every platform
	@for p in $(PLATFORMS); do echo $$p; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build -o /dev/null ./cmd/gorewind && \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go vet ./... || exit 1; done

fuzz: ## every fuzz target for FUZZTIME
	@go list ./... | while read -r pkg; do \
		go test -list '^Fuzz' $$pkg | grep '^Fuzz' | while read -r name; do \
			echo "$$pkg $$name"; go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done || exit 1; done

bench: ## beside the genuine pg_rewind, pg_waldump, pg_basebackup and rsync, on real servers; SCALE=full for the large scenarios
	go run ./bench -scale $(SCALE) -major $(MAJOR) $(BENCHFLAGS)

gobench: ## decoding, scanning, checksums
	go test -run '^$$' -bench . -benchmem ./walreader ./internal/page
