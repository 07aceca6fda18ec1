/** What the program's exit code says. */
export const ExitCode = {
  /** Done, or ended as asked. */
  done: 0,
  /** What was asked cannot be done, and to try again unchanged would not help. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
} as const;

/** Ends the program. Its message is for whoever typed the command. */
export class Failure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = ExitCode.failed) {
    super(message);
    this.name = 'Failure';
    this.exitCode = exitCode;
  }
}
