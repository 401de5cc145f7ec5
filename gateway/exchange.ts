import { type Actor, anonymous } from "#shared/contract/actor.ts";
import type { Binding, Contract, Route } from "#shared/contract/define.ts";
import type { Answer } from "#shared/contract/dispatch.ts";
import type { Logger } from "#shared/telemetry/log.ts";
import { newTraceparent, requestIdOf } from "#shared/telemetry/trace.ts";

/** One route at one of its addresses. */
export type Mounted = {
  contract: Contract;
  name: string;
  route: Route;
  binding: Binding & { alias?: { since: string } };
};

/** One HTTP request on its way through the pipeline; each stage fills in what the later ones need. */
export type Exchange = Mounted & {
  request: Request;
  params: Record<string, string>;
  /** Address of the peer's socket. */
  socketAddress: string;
  /** Address of the client, as far as trusted proxies tell it. */
  address: string;
  traceparent: string;
  requestId: string;
  actor: Actor;
  input: Record<string, unknown>;
  /** The reply as JSON text: what comes over the bus is passed on as it came, its service has checked it. */
  answer?: { body: string | Uint8Array<ArrayBuffer>; headers: Answer["headers"] };
  response?: Response;
  /** For how many seconds at most nothing may move on the connection, from now on; 0: without end. */
  rest(seconds: number): void;
  /** Headers of the answer, whatever it will be. */
  headers: Record<string, string>;
  /** What is to be done once the status of the answer is known, before it is sent; a failure is logged, no more. */
  settled: ((status: number) => Promise<void> | void)[];
  readonly log: Logger;
};
export type Stage = (exchange: Exchange) => Promise<void> | void;

const nothing: Record<string, unknown> = Object.freeze({});

/** A request as it enters the pipeline: nobody is signed in, nothing is read. */
export class RoutedRequest implements Exchange {
  readonly contract: Contract;
  readonly name: string;
  readonly route: Route;
  readonly binding: Mounted["binding"];
  readonly request: Request;
  readonly params: Record<string, string>;
  readonly socketAddress: string;
  readonly rest: Exchange["rest"];
  readonly traceparent = newTraceparent();
  readonly requestId: string;
  readonly headers: Record<string, string>;
  readonly settled: Exchange["settled"] = [];
  address = "";
  actor: Actor = anonymous;
  input = nothing;
  // Most requests log nothing: their logger is made by the first line.
  readonly #parent: Logger;
  #log: Logger | undefined;

  constructor(
    { contract, name, route, binding }: Mounted,
    o: Pick<Exchange, "request" | "params" | "socketAddress" | "headers" | "rest" | "log">,
  ) {
    this.contract = contract;
    this.name = name;
    this.route = route;
    this.binding = binding;
    this.request = o.request;
    this.params = o.params;
    this.socketAddress = o.socketAddress;
    this.headers = o.headers;
    this.rest = o.rest;
    this.#parent = o.log;
    this.requestId = requestIdOf(this.traceparent);
    this.headers["x-request-id"] = this.requestId;
  }

  get log(): Logger {
    const { requestId, contract, name } = this;
    return (this.#log ??= this.#parent.child({ requestId, route: `${contract.service}.${name}` }));
  }
}
