/**
 * Finds the known name that somebody may have meant by an unknown one.
 *
 * Case, and all that is neither letter nor digit, count for nothing: a name as
 * grpclib or gRPC-core writes it, such as `keepalive_time_ms`, finds ours.
 *
 * @param name The unknown name.
 * @param known The known ones, at least one.
 * @returns The known name with the fewest letters to change.
 */
export function nearest(name: string, known: readonly string[]): string {
  const wanted = fold(name);
  let [best = ""] = known;
  let fewest = Infinity;
  for (const candidate of known) {
    const changes = countChanges(wanted, fold(candidate));
    if (changes >= fewest) continue;
    fewest = changes;
    best = candidate;
  }
  return best;
}

function fold(name: string): string {
  // What is longer than any name cannot be near to one, and costs time.
  return name.slice(0, 100).toLowerCase().replace(/[^0-9a-z]/g, "");
}

/** How many letters to add, take away or replace make `b` of `a` (Levenshtein). */
function countChanges(a: string, b: string): number {
  // The row of the table for the letters of `a` that were looked at so far:
  // row[j] is the number of changes that make b[0, j) of them.
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
