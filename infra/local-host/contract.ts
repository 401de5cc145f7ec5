// Everything that other parts may import of the local host.
export * from "./client.ts";
export * from "./schema.ts";
