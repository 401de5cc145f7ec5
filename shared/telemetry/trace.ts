const hex = (bytes: number) => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");

const shape = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

/** A new W3C trace context: `00-<trace id>-<span id>-01`. */
export function newTraceparent(): string {
  return `00-${hex(16)}-${hex(8)}-01`;
}

/** The trace id, which is the X-Request-Id of the answer; a new one where `traceparent` is not well-formed. */
export function requestIdOf(traceparent: string): string {
  const id = shape.exec(traceparent)?.[1];
  return id && !/^0+$/.test(id) ? id : hex(16);
}
