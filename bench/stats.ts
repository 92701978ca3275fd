/**
 * What can be said about numbers that were measured on a noisy machine.
 *
 * @module
 */

/** A middle, and how far the values are from it. */
export interface Spread {
  readonly median: number;
  /** The quarter below, and the quarter above. */
  readonly low: number;
  readonly high: number;
}

/** The value below which a part of the values is. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const below = sorted[Math.floor(place)] ?? NaN;
  const above = sorted[Math.ceil(place)] ?? NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, .5);
}

/** The middle of the values, and the half around it. */
export function spreadOf(values: readonly number[]): Spread {
  return {
    median: median(values),
    low: quantile(values, .25),
    high: quantile(values, .75),
  };
}

/**
 * The ratios of what was measured in the same round. They say more than the
 * ratio of the medians: what disturbs a machine disturbs neighbours alike.
 */
export function ratios(
  values: readonly number[],
  base: readonly number[],
): number[] {
  return values.map((value, round) => value / base[round]!);
}

/** An interval that has the true median in it, and how sure that is. */
export interface Confidence {
  readonly low: number;
  readonly high: number;
  /** From 0 to 1. Of five values or fewer it is below 0.95. */
  readonly level: number;
}

/**
 * The interval between two of the values that has the median of all values
 * there could be in it, in at least 95 of 100 cases if there are values enough.
 * It supposes nothing about how they are distributed.
 *
 * @see {@link https://en.wikipedia.org/wiki/Sign_test}
 */
export function confidenceOf(values: readonly number[]): Confidence {
  const sorted = values.toSorted((a, b) => a - b);
  const n = sorted.length;
  // How likely it is that at most k of n values are below the median.
  const tails: number[] = [];
  let term = .5 ** n;
  let sum = 0;
  for (let k = 0; k < n / 2; k++) {
    sum += term;
    tails.push(sum);
    term *= (n - k) / (k + 1);
  }
  const wide = tails.findLastIndex((tail) => 2 * tail <= .05);
  const cut = Math.max(wide, 0);
  return {
    low: sorted[cut] ?? NaN,
    high: sorted[n - 1 - cut] ?? NaN,
    level: n < 2 ? 0 : 1 - 2 * tails[cut]!,
  };
}

/** What a change is, as far as the measurement tells. */
export type Verdict = "more" | "less" | "as much";

/** Whether ratios with such an interval are about more than 1, or less. */
export function verdictOf({ low, high }: Confidence): Verdict {
  return low > 1 ? "more" : high < 1 ? "less" : "as much";
}
