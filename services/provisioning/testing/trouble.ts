/**
 * What a stand-in does wrong with a request:
 * - `fails`: answers 500 and does nothing. `away`: answers that it is stopping and does nothing.
 * - `lost before`, `lost after`: an answer that says nothing, without and with the effect.
 * - `held`: has its effect and does not answer until the test is over.
 */
export type Mishap = "fails" | "away" | "lost before" | "lost after" | "held";

/** A mishap, or what happens just before the request is looked at. */
export type Planned = Mishap | (() => void | Promise<void> | Mishap);

type Plan = { matches(request: string): boolean; mishap: Planned; met: () => void; again: boolean };

/** The mishaps of one stand-in. A request is called by what it asks for: "POST /containers", "reserve". */
export function troubles() {
  const plans = new Set<Plan>();
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
    /** What goes wrong with this request; `met` tells who planned it that it has happened. */
    async meet(request: string): Promise<{ mishap?: Mishap; met: () => void }> {
      const found = [...plans].find((each) => each.matches(request));
      if (!found) return { met: () => {} };
      const { mishap, met } = found;
      if (!found.again) plans.delete(found);
      const now = typeof mishap === "function" ? await mishap() : mishap;
      return now ? { mishap: now, met } : { met };
    },
  };
}
