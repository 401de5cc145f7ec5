import { createInbox, type Msg, type MsgHdrs, type NatsConnection } from "nats";
import { coreFault } from "#shared/fault/core.ts";
import type { Fault } from "#shared/fault/fault.ts";
import type { Link } from "./link.ts";

type Waiting = { subject: string; answer(msg: Msg): void; fail(fault: Fault): void };

/**
 * Questions and answers over one connection: a single subscription serves all calls, told apart by the last token of
 * their inbox. The library's own requests build two error objects with stacks for each call, a third of what it costs,
 * and leave the caller waiting for its time-out when the connection is lost.
 */
export class Calls {
  private readonly waiting = new Map<string, Waiting>();
  private readonly inbox: string;
  private count = 0;
  private readonly nc: NatsConnection;
  private readonly link: Link;

  constructor(nc: NatsConnection, link: Link, prefix: string) {
    this.nc = nc;
    this.link = link;
    this.inbox = `${createInbox(prefix)}.`;
    nc.subscribe(`${this.inbox}*`, { callback: (err, msg) => void (err ?? this.answered(msg)) });
    link.watch((up) => {
      if (!up)
        this.failAll(
          () => true,
          () => unavailable("The connection was lost before the answer came"),
        );
    });
  }

  /**
   * Resolves with the answer. Rejects with `service.unavailable` at once when the bus is away, goes away, or nobody
   * listens on the subject; with `service.timeout` after `timeoutMs`.
   */
  ask(subject: string, data: string, o: { timeoutMs: number; headers?: MsgHdrs }): Promise<Msg> {
    return new Promise((resolve, reject) => {
      if (!this.link.isUp || this.nc.isClosed()) return reject(unavailable("The bus is away"));
      const token = (this.count++).toString(36);
      const end =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          this.waiting.delete(token);
          settle(value);
        };
      const fail = end<Fault>(reject);
      const timer = setTimeout(() => fail(coreFault("service.timeout")), o.timeoutMs);
      this.waiting.set(token, { subject, answer: end(resolve), fail });
      const reply = this.inbox + token;
      try {
        this.nc.publish(subject, data, o.headers ? { reply, headers: o.headers } : { reply });
      } catch (cause) {
        fail(coreFault("service.unavailable", {}, { cause }));
      }
    });
  }

  /** The server refused a publish to `subject`: that is a fault of ours, and asking again will not mend it. */
  forbidden(subject: string): void {
    const cause = new Error(`no right to publish ${subject}`);
    this.failAll(
      (call) => call.subject === subject,
      () => coreFault("internal.error", {}, { cause }),
    );
  }

  private answered(msg: Msg): void {
    const call = this.waiting.get(msg.subject.slice(this.inbox.length));
    if (!call) return;
    // What the server itself says when nobody subscribes to the subject: a status and no body.
    if (msg.data.length === 0 && msg.headers?.code === 503)
      return call.fail(unavailable("Nobody serves this call"));
    call.answer(msg);
  }

  private failAll(which: (call: Waiting) => boolean, fault: () => Fault): void {
    for (const call of this.waiting.values()) if (which(call)) call.fail(fault());
  }
}

/** `why` is for the log: a client learns no more than that it may try again. */
function unavailable(why: string): Fault {
  return coreFault("service.unavailable", {}, { cause: new Error(why) });
}
