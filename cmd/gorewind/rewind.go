package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/gorewind/gorewind/report"
	"github.com/gorewind/gorewind/rewind"
	"github.com/gorewind/gorewind/source"
	"github.com/gorewind/gorewind/source/pgsource"
)

// rewind rewinds the target, the command without a name.
func (in *invocation) rewind() int {
	if err := in.opts.checkRewind(); err != nil {
		return in.misused(err)
	}
	if in.refuseRoot() {
		return exitFailed
	}
	if _, err := os.Stat(*in.opts.target); err != nil {
		in.out.error(fmt.Sprintf("could not read permissions of directory \"%s\": %s", *in.opts.target, reason(err)))
		return exitFailed
	}
	if err := in.checkReport(); err != nil {
		in.out.error(err.Error())
		return exitFailed
	}
	ignoreBrokenPipe()
	document, err := in.perform()
	if err != nil {
		document = cmp.Or(document, rewind.ErrorDocument(err))
	}
	status := exitDone
	if err != nil {
		status = in.failed(err)
	}
	if document != nil {
		if err := in.publish(document); err != nil {
			in.out.error(inCLocale(fmt.Sprintf("could not write the result: %v", err), err))
			if document.Kind == report.Plan { // otherwise the status is that of the rewind
				status = max(status, exitFailed)
			}
		}
	}
	return status
}

// perform rewinds through the library, as any importer would.
func (in *invocation) perform() (*report.Document, error) {
	if in.opts.dryRun {
		in.log.Info("executing in dry-run mode")
		in.out.detail("The target directory will not be modified.")
	}
	status, err := rewind.ReadStatus(*in.opts.target)
	if err != nil && in.opts.resync == rewind.NoResync { // a resync may work without a control file
		return nil, err
	}
	resumes := status != nil && status.State == rewind.StateUnfinished

	opts := in.rewindOptions()
	opts.Keep, opts.InPlace = in.opts.keep, in.opts.inPlace
	opts.RestoreTargetWAL, opts.EnsureShutdown = in.opts.restoreWAL, !in.opts.noEnsureShutdown && !in.opts.dryRun
	opts.ForeseeRecovery = !in.opts.noEnsureShutdown && in.opts.dryRun && in.opts.resync != rewind.NoResync
	opts.BinDir, opts.ConfigFile, opts.SaveLost = in.opts.binDir, in.opts.configFile, in.opts.saveLost
	opts.NoVerifyChecksums = in.opts.noVerify
	opts.RestoreCommand = in.opts.restoreCommand
	opts.TablespaceMapping = in.opts.tablespaces
	opts.Slot, opts.MakeSlot, opts.CheckReplication = in.opts.slot, in.opts.makeSlot, in.opts.checkReplication
	opts.ArchiveLostWAL, opts.Resync, opts.SystemIdentifier = in.opts.archiveLostWAL, in.opts.resync, in.opts.system
	if in.opts.plan != "" {
		plan, err := os.Open(in.opts.plan)
		if err != nil {
			return nil, status.Classify(err)
		}
		defer plan.Close()
		opts.Plan = plan
	}
	if !resumes { // resuming needs no source, and the source may be gone
		if err := in.openSource(&opts); err != nil {
			return nil, status.Classify(err)
		}
		defer opts.Source.Close()
	}
	if in.opts.progress {
		bar := newProgress(in.out)
		opts.Observer.Progress = bar.report
		defer bar.close()
	}
	r, err := rewind.Prepare(in.ctx, opts)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	err = in.carryOut(r)
	if err == nil && in.opts.savePlan != "" {
		err = in.savePlan(r)
	}
	if err == nil && in.sumsUp(r.Plan()) {
		in.sumUp(r.Brief(nil)) // without asking the source again
	}
	if !in.wantsDocument() {
		return nil, err
	}
	return r.Document(in.ctx, err), err
}

func (in *invocation) carryOut(r *rewind.Rewind) error {
	plan := r.Plan()
	if in.opts.progress && plan.Files != nil {
		const mb = 1 << 20
		in.log.Info(fmt.Sprintf("need to copy %d MB (total source directory size is %d MB)",
			plan.Files.FetchBytes()/mb, plan.Files.SourceBytes/mb))
	}
	var errorsIfSo []string
	if !in.opts.dryRun {
		errorsIfSo = in.shortages(r)
	}
	for _, w := range plan.Warnings {
		if slices.Contains(errorsIfSo, w) {
			continue
		}
		if !in.asOriginal() || !slices.Contains(plan.Foreign, w) { // pg_rewind leaves such warnings to its caller
			in.log.Warn(w)
		}
	}
	switch {
	case in.opts.dryRun && plan.Required:
		in.doneDry()
		return nil
	case in.opts.dryRun:
		return nil
	}
	// Even if no rewind is required, this may make the target a standby.
	if err := r.Apply(in.ctx); err != nil {
		return err
	}
	if plan.Required || plan.Resumes {
		in.log.Info("Done!")
		if in.opts.progress && !in.opts.recoveryConf && !plan.Resumes {
			in.out.hint("Make it a standby of the source before you start it; its configuration files are now the source's.")
		}
	}
	return nil
}

// shortages are the warnings about space. Apply measures it again, and then says the same
// as an error.
func (in *invocation) shortages(r *rewind.Rewind) (warnings []string) {
	for _, s := range r.Brief(nil).Space {
		short := rewind.SpaceError{Dir: s.Directory, Needed: s.Needed, Free: s.Free}
		for _, short.InPlace = range []bool{false, true} {
			warnings = append(warnings, short.Error())
		}
	}
	return warnings
}

// sumsUp reports whether a summary of a completed rewind goes to the
// messages: if it is asked for, and on a terminal. Scripts read pg_rewind's
// messages, so nothing is added to those, and a printed document has it already.
func (in *invocation) sumsUp(p *rewind.Plan) bool {
	if !p.Required || p.Files == nil || in.opts.dryRun || in.out.json != nil {
		return false
	}
	return in.opts.summary || in.prints() == "" && !in.asOriginal() && isTerminal(in.out.w)
}

// sumUp prints what the rewind did and what was lost.
func (in *invocation) sumUp(d *report.Document) {
	in.inWords(d)
	summary := *d
	summary.Warnings = nil // these were already messages
	var b strings.Builder
	_ = report.Summary(&b, &summary, in.layout(in.out.w)) // writing to a strings.Builder never fails
	in.out.block(b.String())
}

// savePlan writes the plan to a file, which is either complete or absent.
func (in *invocation) savePlan(r *rewind.Rewind) error {
	return writeFile(in.opts.savePlan, r.Save)
}

func (in *invocation) doneDry() {
	if in.opts.progress { // a dry run of pg_rewind prints these lines, too
		in.log.Info("creating backup label and updating control file")
		in.log.Info("syncing target data directory")
	}
	in.log.Info("Done!")
	in.out.detail("The target directory was not modified.")
}

// rewindOptions are the options that a rewind and resuming share.
func (in *invocation) rewindOptions() rewind.Options {
	return rewind.Options{
		TargetDir: *in.opts.target, NoSync: in.opts.noSync, SyncMethod: in.opts.syncMethod, Logger: in.log,
		AfterCommit: in.insist,
	}
}

// openSource opens the source directory or server that the command line names.
func (in *invocation) openSource(opts *rewind.Options) error {
	if in.opts.sourceDir != nil {
		dir, err := source.OpenDir(*in.opts.sourceDir)
		if err != nil {
			return err
		}
		opts.Source = dir
		return nil
	}
	server, err := pgsource.Open(in.ctx, *in.opts.sourceServer, in.serverOptions())
	if err != nil {
		return err
	}
	opts.Source = server
	if in.opts.recoveryConf {
		opts.PrimaryConnInfo = server.ConnInfo()
	}
	if in.opts.progress {
		in.log.Info("connected to server")
		in.out.detail(fmt.Sprintf("It is the %s.", server))
	}
	return nil
}

// resume completes an interrupted rewind.
func (in *invocation) resume() int {
	dir, err := in.targetOrPGDATA()
	if err != nil {
		return in.misused(err)
	}
	in.opts.target = &dir
	if in.refuseRoot() {
		return exitFailed
	}
	ignoreBrokenPipe()
	opts := in.rewindOptions()
	if in.opts.progress {
		bar := newProgress(in.out)
		opts.Observer.Progress = bar.report
		defer bar.close()
	}
	if err := rewind.Resume(in.ctx, opts); err != nil {
		return in.failed(err)
	}
	in.log.Info("Done!")
	return exitDone
}

func (in *invocation) serverOptions() pgsource.Options {
	return pgsource.Options{Timeout: in.opts.sourceTimeout, Jobs: in.opts.jobs, Logger: in.log}
}
