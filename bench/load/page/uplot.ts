import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

export interface Uplot {
  script: string;
  style: string;
}

/** Reads the charts' library, to be part of the page. `from`: the file whose packages are asked. */
export function readUplot(from: string = import.meta.url): Uplot {
  const require = createRequire(from);
  try {
    // Written out, so that knip sees the package used.
    const [license, script, style] = [
      require.resolve('uplot/LICENSE'),
      require.resolve('uplot/dist/uPlot.iife.min.js'),
      require.resolve('uplot/dist/uPlot.min.css'),
    ].map((file) => readFileSync(file, 'utf8'));
    // Its license wants to go where the code goes.
    return { script: `/*\n${license}*/\n${script}`, style: style ?? '' };
  } catch (error) {
    throw new Error(
      'The HTML report draws with the package uplot, which is not installed. ' +
        'It is a development dependency: npm install --include=dev',
      { cause: error },
    );
  }
}
