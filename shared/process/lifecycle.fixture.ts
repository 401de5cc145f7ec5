import { createLogger } from "#shared/telemetry/log.ts";
import { onStop, ready } from "./lifecycle.ts";

// A process for lifecycle.test.ts of which two parts never stop.

const log = createLogger("fixture");
const stop = onStop(log, { stepMs: 200, totalMs: 300, reserveMs: 50 });
stop.last("quick", () => log.info({}, "the quick part stops"));
stop.last("stuck", () => new Promise(() => {}));
stop.last("failing", () => Promise.reject(new Error("no")));
stop.last("also stuck", () => new Promise(() => {}));
setInterval(() => {}, 1_000);
ready();
