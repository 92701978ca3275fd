/**
 * Budgets: how much memory peers can make this side hold.
 *
 * Each connection has an account. It counts what is there because the peer has
 * sent it and nobody has taken it yet, or because the peer does not take it:
 * messages that are not whole, inboxes, requests whose handlers run, replies
 * that are not written. The accounts of a server or a channel share a budget.
 *
 * There are two marks. A connection whose account is over its limit is read no
 * further, and its new calls wait; likewise those with more than a fair share
 * while all accounts together are near the limit of the budget. Where that is
 * exceeded nevertheless, the largest holder of the fullest account is ended
 * with RESOURCE_EXHAUSTED, or the connection, if what is held is of no call
 * that could be ended. So what a peer does concerns it first, and others
 * never while they hold little.
 *
 * To count is to add integers. What has to be done about it is done when the
 * stack is empty, so that nobody is ended in the middle of something.
 *
 * @module
 */

import { Traffic } from "../core/_figures.ts";

/** A call that bytes are held for. */
export interface Holder {
  /** How many bytes. */
  readonly heldBytes: number;
  /**
   * How many of them nobody could take yet: there has to come more, of a message
   * or behind it.
   */
  readonly unfinishedBytes: number;
  /** How many bytes have come of a message that is not whole; 0 for none. */
  readonly arrivedBytes: number;
  /** Has to give all of them back at once, for there are too many in all. */
  evict(): void;
}

/** The limits of a budget, in bytes. */
export interface BudgetLimits {
  /** What may be held for all connections. */
  readonly maxHeldBytes: number;
  /** What may be held for one, before it is read no further. */
  readonly maxHeldBytesPerConnection: number;
}

/**
 * The limits that a configuration means: there has to be room for what it
 * allows to come in one piece.
 */
export function budgetLimitsOf(
  { maxHeldBytes, maxHeldBytesPerConnection, maxReceiveMessageSize }:
    & BudgetLimits
    & { readonly maxReceiveMessageSize: number },
): BudgetLimits {
  const perConnection = Math.max(
    maxHeldBytesPerConnection,
    2 * maxReceiveMessageSize,
  );
  return {
    maxHeldBytes: Math.max(maxHeldBytes, 2 * perConnection),
    maxHeldBytesPerConnection: perConnection,
  };
}

/** What is made of the bytes of a connection that are too many. */
export interface AccountOwner {
  /**
   * The account is over its limit, or not any more. Told again while it is, as
   * what it consists of changes.
   */
  onFull(isFull: boolean): void;
  /**
   * The account holds more than its share, in replies that the peer does not
   * take or in many small things, so that calls of others would have to end.
   *
   * @returns Whether the connection is ended instead.
   */
  onExcess(): boolean;
}

/** Above this part of a limit it is near, and below this one far again. */
const NEAR = 0.75;
const FAR = 0.5;

/** What may always be held for a connection. */
const MIN_SHARE_BYTES = 1024 * 1024;

/** Calls that hold less are not looked at: many of them are a matter of counts. */
export const MIN_HOLDER_BYTES: number = 16 * 1024;

/** Messages that are smaller need not be counted one by one. */
export const MIN_COUNTED_BYTES = 1024;

/** What may be held for the peers of a server or a channel. */
export class MemoryBudget {
  /** What an account may have, in bytes. */
  readonly maxPerConnection: number;
  /** What may be held, in bytes. */
  maxBytes: number;
  /** How many bytes are held. */
  heldBytes = 0;
  /** Above how many bytes it matters who holds them. */
  nearBytes: number;
  /** Whether there were more when somebody looked last. */
  isNear = false;
  readonly accounts: Set<Account> = new Set();
  /** Told when there is room again for what had to wait. */
  onRoom: () => void = () => {};
  /** How many calls had to be ended. */
  evictedCalls = 0;
  #isScheduled = false;

  constructor(limits: BudgetLimits) {
    this.maxPerConnection = limits.maxHeldBytesPerConnection;
    this.maxBytes = limits.maxHeldBytes;
    this.nearBytes = this.maxBytes * NEAR;
  }

  /** Makes room for at least so many bytes. */
  allow(bytes: number): void {
    this.maxBytes = Math.max(this.maxBytes, bytes);
    this.nearBytes = this.maxBytes * NEAR;
  }

  /** What an account may have while the budget is nearly used up. */
  get shareBytes(): number {
    return Math.max(
      MIN_SHARE_BYTES,
      this.maxBytes * FAR / (this.accounts.size || 1),
    );
  }

  /** Looks at all accounts as soon as the stack is empty. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#settle();
    });
  }

  #settle(): void {
    this.#evict();
    this.isNear = this.heldBytes > this.nearBytes;
    const share = this.isNear ? this.shareBytes : Infinity;
    let hasRoom = false;
    for (const account of [...this.accounts]) {
      const wasFull = account.isFull;
      account.judge(share);
      // One may be full still, and its calls wait no more: when what it holds is
      // theirs, nothing else would have them go on.
      if (wasFull && !account.mustWait) hasRoom = true;
    }
    if (hasRoom) this.onRoom();
  }

  /** Ends calls until the limit is kept, or there is nobody to end. */
  #evict(): void {
    while (this.heldBytes > this.maxBytes) {
      let fullest: Account | null = null;
      let fullestOfCalls: Account | null = null;
      for (const account of this.accounts) {
        const { heldBytes, holders } = account;
        if (fullest === null || heldBytes > fullest.heldBytes) {
          fullest = account;
        }
        if (holders.size === 0) continue;
        if (
          fullestOfCalls === null || heldBytes > fullestOfCalls.heldBytes
        ) fullestOfCalls = account;
      }
      if (fullestOfCalls === null) return;
      // Who has no call to end must not have others lose theirs.
      if (fullest !== fullestOfCalls && fullest!.endIfOver(this.shareBytes)) {
        continue;
      }
      if (!fullestOfCalls.evictLargest()) return;
      this.evictedCalls++;
    }
  }
}

/** What is held for the peer of one connection. */
export class Account {
  /** What has gone over the connection. */
  readonly traffic: Traffic = new Traffic();
  /** How many bytes. */
  heldBytes = 0;
  /** Whether nothing more should be read, nor begun, for this connection. */
  isFull = false;
  /** How many of the bytes are requests whose handlers run. */
  workBytes = 0;
  /** How many handlers run, those included whose calls are over. */
  runningCalls = 0;
  /** The calls that hold much, in the order in which they came to that. */
  readonly holders: Set<Holder> = new Set();
  /** How many of the bytes wait to be written. */
  #unsentBytes = 0;
  readonly #budget: MemoryBudget;
  readonly #owner: AccountOwner;
  #limit: number;
  #isOpen = true;

  constructor(budget: MemoryBudget, owner: AccountOwner) {
    this.#budget = budget;
    this.#owner = owner;
    this.#limit = budget.maxPerConnection;
    budget.accounts.add(this);
  }

  /** How many bytes wait to be written. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /**
   * Whether reading less would help: much has come that no handler has yet. What
   * waits to be written, or for that, only goes away while the peer is read: it
   * has to open its windows.
   */
  get isClogged(): boolean {
    const { heldBytes, workBytes } = this;
    return this.isFull &&
      heldBytes - workBytes - this.#unsentBytes > heldBytes * FAR;
  }

  /** Whether it holds too much at this moment to be read again. */
  get hasExcess(): boolean {
    const budget = this.#budget;
    return this.heldBytes > this.#limit * NEAR ||
      budget.heldBytes > budget.nearBytes &&
        this.heldBytes > budget.shareBytes * NEAR;
  }

  /** Whether nothing more may be given to be written: too much waits for it. */
  get mustRefuse(): boolean {
    const budget = this.#budget;
    // Others need what is left of the budget: their calls would be ended.
    return budget.heldBytes > budget.nearBytes &&
      this.#unsentBytes > budget.shareBytes;
  }

  /**
   * Whether calls have to wait until others are through. Not while what is held
   * is for themselves: to have them start is the way to be rid of it.
   */
  get mustWait(): boolean {
    return this.isFull && !this.isClogged;
  }

  /** Counts bytes. */
  hold(bytes: number): void {
    const budget = this.#budget;
    this.heldBytes += bytes;
    budget.heldBytes += bytes;
    if (
      !this.isFull && this.heldBytes > this.#limit ||
      budget.heldBytes > budget.nearBytes
    ) {
      // At once for this one: what comes next may be as large.
      if (this.heldBytes > this.#limit) this.isFull ||= this.#isOpen;
      budget.schedule();
    }
  }

  /** Counts bytes no longer. */
  release(bytes: number): void {
    this.heldBytes -= bytes;
    this.#budget.heldBytes -= bytes;
    // What one gives back, others may be waiting for.
    if (this.isFull || this.#budget.isNear) this.#budget.schedule();
    if (!this.#isOpen && this.heldBytes <= 0) this.#forget();
  }

  /**
   * Makes room for messages that are larger than the configuration says: whoever
   * allows them has to have them held.
   *
   * @param bytes How large one may be.
   */
  allow(bytes: number): void {
    this.#limit = Math.max(this.#limit, 2 * bytes);
    this.#budget.allow(2 * this.#limit);
  }

  /** Says how many bytes wait to be written now. */
  setUnsent(bytes: number): void {
    const more = bytes - this.#unsentBytes;
    if (more === 0) return;
    this.#unsentBytes = bytes;
    if (more > 0) this.hold(more);
    else this.release(-more);
  }

  /**
   * Decides whether the connection has to wait.
   *
   * @param share What it may hold as others need the rest, in bytes.
   */
  judge(share: number): void {
    const limit = Math.min(this.#limit, share);
    const isFull = this.#isOpen &&
      this.heldBytes > (this.#wasFull ? limit * NEAR : limit) &&
      !this.#mayFinish;
    this.isFull = isFull;
    if (!isFull && !this.#wasFull) return;
    this.#wasFull = isFull;
    this.#owner.onFull(isFull);
  }

  /** What the owner was told last. */
  #wasFull = false;

  /**
   * Whether most of it waits for more to come: the rest is taken by the
   * application, in its time, and then there is room.
   */
  get isUnfinished(): boolean {
    let unfinished = 0;
    for (const holder of this.holders) unfinished += holder.unfinishedBytes;
    return unfinished > this.heldBytes * FAR;
  }

  /**
   * Whether it is read on although it is over its limit. Were a connection read
   * no more that holds messages of which most are not whole, none of them ever
   * would be, nor would those end that are: so it is read as long as half of the
   * budget is free.
   */
  get #mayFinish(): boolean {
    const { heldBytes, maxBytes } = this.#budget;
    return heldBytes <= maxBytes * FAR && this.isUnfinished;
  }

  /**
   * Ends the call that holds most, the newest of several.
   *
   * @returns Whether that has freed anything.
   */
  evictLargest(): boolean {
    let largest: Holder | null = null;
    for (const holder of this.holders) {
      if (largest === null || holder.heldBytes >= largest.heldBytes) {
        largest = holder;
      }
    }
    if (largest === null) return false;
    const before = this.heldBytes;
    this.holders.delete(largest);
    largest.evict();
    return this.heldBytes < before || this.holders.size > 0;
  }

  /**
   * Ends the connection, if it holds more than its share.
   *
   * @param share What it may hold as others need the rest, in bytes.
   * @returns Whether that has freed anything.
   */
  endIfOver(share: number): boolean {
    const before = this.heldBytes;
    if (!this.#isOpen || before <= share || !this.#owner.onExcess()) {
      return false;
    }
    // What waited to be written is dropped with the streams.
    this.setUnsent(0);
    return this.heldBytes < before;
  }

  /** The connection is gone: what its calls still hold is theirs alone. */
  close(): void {
    this.#isOpen = false;
    this.setUnsent(0);
    this.judge(Infinity);
    if (this.heldBytes <= 0) this.#forget();
  }

  #forget(): void {
    this.#budget.accounts.delete(this);
  }
}
