/** Nothing could be measured. The message is for the person at the terminal. */
export class LoadError extends Error {}
