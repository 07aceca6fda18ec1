/** Where the values are of which no line can be drawn, since there is none before and none after them. */
export function loneValues(values: readonly (number | null | undefined)[]): number[] {
  const isThere = (index: number) => typeof values[index] === 'number';
  return values.flatMap((_value, index) =>
    isThere(index) && !isThere(index - 1) && !isThere(index + 1) ? [index] : [],
  );
}
