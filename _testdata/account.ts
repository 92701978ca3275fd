/**
 * Accounts that are never full, for tests of something else.
 *
 * @module
 */

import { Account, MemoryBudget } from "../_call/account.ts";

/** A budget without a limit. */
export function anyBudget(): MemoryBudget {
  return new MemoryBudget({
    maxHeldBytes: Infinity,
    maxHeldBytesPerConnection: Infinity,
  });
}

/** An account without a limit. */
export function anyAccount(): Account {
  return new Account(anyBudget(), { onFull() {}, onExcess: () => false });
}
