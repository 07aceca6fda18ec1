/** Where an expression takes its numbers from. */
export interface Selector {
  metric: string;
  matchers: { label: string; operator: '=' | '!=' | '=~' | '!~'; value: string }[];
}

const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
const KEYWORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'by', 'without', 'on', 'ignoring']);

/** The selectors of a PromQL expression. It needs no more of the language than the rules and the dashboard use: no strings outside braces. */
export function selectorsIn(expression: string): Selector[] {
  const bare = expression.replace(/\[[^\]]*\]/g, '').replace(GROUPING, '');
  const found = bare.matchAll(/\b([a-zA-Z_:][a-zA-Z0-9_:]*)\b(?:\s*\{([^}]*)\})?(?!\s*\()/g);
  return [...found]
    .filter(([, name = '']) => !KEYWORDS.has(name))
    .map(([, metric = '', inBraces = '']) => ({ metric, matchers: matchersIn(inBraces) }));
}

/** Labels that the expression keeps or joins by. */
export function groupingLabelsIn(expression: string): string[] {
  return [...expression.matchAll(GROUPING)].flatMap(([, labels = '']) =>
    labels.split(',').map((label) => label.trim()),
  );
}

function matchersIn(inBraces: string): Selector['matchers'] {
  const found = inBraces.matchAll(/([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"([^"]*)"/g);
  return [...found].map(([, label = '', operator, value = '']) => ({
    label,
    operator: operator as Selector['matchers'][number]['operator'],
    value,
  }));
}
