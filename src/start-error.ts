/** The router cannot start, for a reason that an operator can mend: its message says what to do. */
export class StartError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StartError';
  }
}
