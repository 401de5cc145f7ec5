/**
 * What a stand-in does wrong with a request:
 * - `fails`, `denied`, `forbidden`: answers 500, 401 or 403 and does nothing.
 * - `away`: answers that it is stopping and does nothing. `ended`: the same, because the agent has ended at its start.
 * - `lost before`, `lost after`: an answer that says nothing, without and with the effect.
 * - `held`: has its effect and does not answer until the test is over. `stuck`: the same, however often it is asked
 *   about that thing, until the test says `resume`.
 */
export type Mishap =
  "fails" | "denied" | "forbidden" | "away" | "ended" | "lost before" | "lost after" | "held" | "stuck";

/** A mishap, or what happens just before the request is looked at. */
export type Planned = Mishap | (() => void | Promise<void> | Mishap);

type Plan = { matches(request: string): boolean; mishap: Planned; met: () => void; again: boolean };

/** The mishaps of one stand-in. A request is called by what it asks for: "POST /containers", "reserve". */
export function troubles() {
  const plans = new Set<Plan>();
  const standing = new Set<string>();
  const end = Promise.withResolvers<void>();
  const plan = (request: string | RegExp, mishap: Planned, again: boolean, met = () => {}) => {
    const matches = (asked: string) =>
      typeof request === "string" ? asked === request : request.test(asked);
    const made = { matches, mishap, again, met };
    plans.add(made);
    return made;
  };
  return {
    /** Resolves when what is held may be answered after all, because nobody asks any more. */
    held: end.promise,
    letGo: () => end.resolve(),
    /** From now on what was stuck is answered when it is asked again. */
    resume: () => standing.clear(),
    /** Plans one mishap; resolves when it has happened. */
    next(request: string | RegExp, mishap: Planned): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      plan(request, mishap, false, resolve);
      return promise;
    },
    /** Plans a mishap for every such request, until the returned function is called. */
    always(request: string | RegExp, mishap: Planned): () => void {
      const made = plan(request, mishap, true);
      return () => void plans.delete(made);
    },
    /** What goes wrong with this request about that thing; `met` tells who planned it that it has happened. */
    async meet(request: string, about: string | number): Promise<{ mishap?: Mishap; met: () => void }> {
      const asked = `${request} ${about}`;
      if (standing.has(asked)) return { mishap: "stuck", met: () => {} };
      const found = [...plans].find((each) => each.matches(request));
      if (!found) return { met: () => {} };
      const { mishap, met } = found;
      if (!found.again) plans.delete(found);
      const now = typeof mishap === "function" ? await mishap() : mishap;
      if (now === "stuck" && about !== "") standing.add(asked);
      return now ? { mishap: now, met } : { met };
    },
  };
}
