import type { BodyName } from './http-bodies.ts';
import type { Json } from './json-schemas.ts';

/** What one method of a path does, in words, and what goes in and out. */
export interface Operation {
  id: string;
  tag: 'Alerts' | 'Connections' | 'Documents' | 'Pages' | 'Pictures' | 'Status' | 'Streams' | 'Users';
  summary: string;
  description?: string;
  /** A ticket does not open it. */
  refusesTickets?: true;
  query?: Readonly<Record<string, Parameter>>;
  headers?: Readonly<Record<string, Parameter>>;
  body?: RequestContent;
  /** By status. */
  answers: Readonly<Record<number, Answer>>;
  /** Beside those that all operations of its kind have: by status, each code with what it means here. */
  errors?: Readonly<Record<number, string>>;
}

export interface Parameter {
  description: string;
  schema: Json;
}

interface RequestContent {
  description: string;
  required: boolean;
  /** By content type. */
  content: Readonly<Record<string, Json>>;
}

export interface Answer {
  description: string;
  headers?: Readonly<Record<string, string>>;
  /** What it is as JSON; or its content type where it is something else; neither: it has no body. */
  body?: BodyName;
  contentType?: string;
}

/** Keys are a method and a path, as the table of all routes has them: `GET /health`. */
export type Operations = Readonly<Record<string, Operation>>;
