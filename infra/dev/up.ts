// npm start: the whole stack on this machine.
import { join } from "node:path";
import { launch } from "./launcher.ts";
import { product } from "./product.ts";

process.exit(await launch({ root: join(import.meta.dir, "../.."), env: process.env, product }));
