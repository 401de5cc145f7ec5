import type { Policy } from "#shared/contract/define.ts";
import { coreFault } from "#shared/fault/core.ts";
import type { Clock } from "#shared/process/clock.ts";
import type { Exchange, Stage } from "../exchange.ts";
import { networkOf } from "./address.ts";
import { type Buckets, buckets, type Rate } from "./buckets.ts";

export type LimitClass = NonNullable<Policy["limit"]>;

/**
 * `perAccount` counts what is tried on the account that a request names, from wherever. It is larger than `perAddress`,
 * so that no single address can use it up and keep its owner out.
 */
export type Limits = Record<LimitClass, { perAddress: Rate; perAccount?: Rate }>;

type Limiter = { byAddress: Buckets; inAll: Buckets; byAccount: Buckets | undefined };

// Many people may work behind one address. What succeeds costs a look at a password all the same, so it has a bound too.
const successes = 6;

/**
 * Slows down whoever guesses: by the address that asks and by the account that is asked for, never by one count for
 * all. A sign-in that succeeds counts neither against its account nor against its address, which may try six times as
 * often in all as it may fail. Where one has succeeded before, the account's count holds nobody up: many attackers
 * together cannot keep its owner out of the place where he works.
 *
 * `changes` is for whatever a signed-in account changes, anywhere: each leaves a line in the audit log, and work for
 * others. No session, key or address of the account adds to it, but its keys have one count and its sessions another:
 * a program that runs wild, or a key that was stolen, must not keep the owner from revoking that key.
 */
export function limited(
  limits: Limits,
  { changes, ...o }: { changes: Rate; maxKeys: number; clock: Clock },
): Stage {
  const limiters = new Map<string, Limiter>();
  for (const [name, { perAddress, perAccount }] of Object.entries(limits))
    limiters.set(name, {
      byAddress: buckets({ rate: perAddress, ...o }),
      inAll: buckets({ rate: { ...perAddress, count: perAddress.count * successes }, ...o }),
      byAccount: perAccount && buckets({ rate: perAccount, ...o }),
    });
  const familiar = recent(o.maxKeys);
  const changesOf = { sessions: buckets({ rate: changes, ...o }), keys: buckets({ rate: changes, ...o }) };
  return (x) => {
    const { actor, route } = x;
    if (isChange(route.policy) && actor.kind === "account")
      admit(x, changesOf[actor.scopes ? "keys" : "sessions"].take(actor.id), "account", "change");
    const { limit } = x.route.policy;
    const limiter = limit && limiters.get(limit);
    if (!limiter) return;
    const address = networkOf(x.address);
    admit(x, limiter.inAll.take(address), "address");
    admit(x, limiter.byAddress.take(address), "address");
    const account = accountOf(x);
    const { byAccount } = limiter;
    if (account === undefined || !byAccount) return;
    const wait = byAccount.take(account);
    const place = `${account} ${address}`;
    if (!familiar.has(place)) admit(x, wait, "account");
    if (limit !== "login") return;
    x.settled.push((status) => {
      if (status >= 400) return;
      familiar.add(place);
      limiter.byAddress.giveBack(address);
      if (wait === 0) byAccount.giveBack(account);
    });
  };
}

/** Whether a signed-in account changes something by the route: those are what an account may do only so often. */
export const isChange = ({ auth, idempotency }: Policy): boolean =>
  idempotency !== "safe" && (auth === "session" || auth === "operator");

function admit(
  x: Exchange,
  waitMs: number,
  by: "address" | "account",
  limit: string | undefined = x.route.policy.limit,
): void {
  if (waitMs === 0) return;
  x.log.warn({ limit, by, address: x.address }, "too many requests");
  throw coreFault("limit.exceeded", { retryAfter: waitMs / 1000 });
}

/** The account that is tried: that of the session, else the one that the request names; no look at any is taken. */
function accountOf({ actor, input, route }: Exchange): string | undefined {
  // No name that a client sends can hold NUL.
  if (actor.kind === "account") return `\0${actor.id}`;
  // Only what the route reads: any other member is the client's to choose, and would choose the count as well.
  const field = ["identifier", "email"].find((candidate) => candidate in route.request.shape);
  const name = field && input[field];
  // A longer one is nobody's name: its route refuses it.
  return typeof name === "string" && name.length <= 254 ? name.trim().toLowerCase() : undefined;
}

/** The last `max` of what was added. */
function recent(max: number): Pick<Set<string>, "has" | "add"> {
  const kept = new Set<string>();
  return {
    has: (value) => kept.has(value),
    add(value) {
      kept.delete(value);
      kept.add(value);
      const oldest = kept.size > max ? kept.values().next().value : undefined;
      if (oldest !== undefined) kept.delete(oldest);
      return kept;
    },
  };
}
