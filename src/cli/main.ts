#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { VERSION } from '../project.ts';
import { StartError } from '../start-error.ts';
import { addCamera } from './camera.ts';
import { addCheckConfig } from './check-config.ts';
import { ExitCode, Failure } from './failure.ts';
import { endSoon } from './signals.ts';
import { SourceError } from './sources/source.ts';
import { addStart } from './start.ts';
import { addToken } from './token.ts';
import { addWatch } from './watch.ts';

const HELP = `
Examples:
  $ watchout-router start                              a router; without DATABASE_URL it is a demo
  $ watchout-router watch demo-camera                  what the demo's camera sends, as it comes
  $ watchout-router camera ./pictures --stream gate    a camera that plays the JPEGs of a folder
  $ watchout-router camera rtsp://… --stream yard      an IP camera, by way of ffmpeg
  $ watchout-router check-config --connect             is all set, and does the database answer?

Environment:
  start and check-config read the router's variables, camera and watch WATCHOUT_TOKEN. The help of
  each command has more.

Exit codes:
  0  done, or ended as asked
  1  what was asked cannot be done; the last line on stderr says why
  2  the command line is wrong`;

const program = new Command('watchout-router')
  .description('A router for live camera frames, its cameras and its viewers.')
  .version(VERSION, '-V, --version')
  .helpCommand('help [command]', 'shows what a command takes')
  .showHelpAfterError('(--help shows what there is)')
  .exitOverride()
  .addHelpText('after', HELP);
for (const add of [addStart, addCamera, addWatch, addCheckConfig, addToken]) add(program);

try {
  await program.parseAsync();
} catch (error) {
  end(error);
}

/** What somebody can mend is said in words, and a stack trace helps nobody at a terminal. */
function end(error: unknown): void {
  if (error instanceof CommanderError) {
    // It has said what it is about.
    endSoon(error.exitCode === 0 ? ExitCode.done : ExitCode.usage);
    return;
  }
  const isForeseen = error instanceof Failure || error instanceof SourceError || error instanceof StartError;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${isForeseen ? message : `Unforeseen: ${message}`}\n`);
  endSoon(error instanceof Failure ? error.exitCode : ExitCode.failed);
}
