const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** `<prefix>_` and 26 characters of Crockford's base 32: 48 bits of time, 80 of chance; sorts by time. */
export function newId(prefix: string): string {
  let time = Date.now();
  let head = "";
  for (let i = 0; i < 10; i++) {
    head = alphabet[time % 32] + head;
    time = Math.floor(time / 32);
  }
  const tail = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => alphabet[byte % 32]);
  return `${prefix}_${head}${tail.join("")}`;
}

/** The uuid of a server instance (version 7, so that indexes stay compact). */
export function newInstanceId(): string {
  return Bun.randomUUIDv7();
}
