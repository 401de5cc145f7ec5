// Every SQL statement of the service, one file per table; `server` joins what a row on the screen shows.
export * from "./store/authorize.ts";
export * from "./store/billing.ts";
export * from "./store/instance.ts";
export * from "./store/inventory.ts";
export * from "./store/lease.ts";
export * from "./store/lock.ts";
export * from "./store/operation.ts";
export * from "./store/reservation.ts";
export * from "./store/server.ts";
export * from "./store/touched.ts";
