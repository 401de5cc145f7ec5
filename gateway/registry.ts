import type { Contract } from "#shared/contract/define.ts";
import { gateway } from "./auth/contract.ts";
import { billing } from "#services/billing/contract.ts";
import { provisioning } from "#services/provisioning/contract.ts";
import { servers } from "#services/servers/contract.ts";

/** Every contract of the mesh, by name: what is not listed here does not exist. */
export const registry: readonly Contract[] = [gateway, servers, provisioning, billing];
