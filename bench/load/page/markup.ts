/** HTML that may stand in the page as it is. Only `html` and `trusted` make it, so text of the report never is. */
export class Html {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

export type Content = Html | string | number | readonly Content[];

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** A template of HTML: whatever is put into it is text and is escaped, unless it is HTML of another template. */
export function html(parts: TemplateStringsArray, ...contents: Content[]): Html {
  return new Html(String.raw({ raw: parts }, ...contents.map(sourceOf)));
}

/** For the page's own files; never for anything of the report. */
export function trusted(source: string): Html {
  return new Html(source);
}

/** JSON for the inside of a script element, which no `</script>` or `<!--` in its text can end. */
export function embeddedJson(value: unknown): Html {
  return trusted(JSON.stringify(value).replaceAll('<', '\\u003c'));
}

function sourceOf(content: Content): string {
  if (content instanceof Html) return content.source;
  if (Array.isArray(content)) return content.map(sourceOf).join('');
  return String(content).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
