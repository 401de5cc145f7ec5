import type { Control, Outcome } from "../control.ts";
import type { Handler, Routes } from "../http/server.ts";

/** Start, stop and restart: 202 while the work goes on (GET /status tells), 200 when there was nothing to do. */
export function powerRoutes(control: Control): Routes {
  return {
    "/start": { POST: answer(() => control.start()) },
    "/stop": { POST: answer(() => control.stop()) },
    "/restart": { POST: answer(() => control.restart()) },
  };
}

function answer(act: () => Promise<Outcome>): Handler {
  return async () => {
    const { status, body } = await act();
    return Response.json(body, { status });
  };
}
