import { billing } from "#services/billing/contract.ts";
import { provisioning } from "#services/provisioning/contract.ts";
import { servers } from "#services/servers/contract.ts";
import { on, type Reaction } from "#shared/bus/consume.ts";
import type { AuditRecord } from "#shared/contract/audit.ts";
import { withTx } from "#shared/db/tx.ts";
import type { Deps } from "../service.ts";
import { insertAudit } from "../store/audit.ts";

/** Takes what only a service can see into the audit log, each line once however often it is told. */
export function auditRecorded({ db }: Pick<Deps, "db">): readonly Reaction[] {
  const take = ({ data }: { data: AuditRecord }) => withTx(db, (tx) => insertAudit(tx, data));
  return [
    on(servers, "auditRecorded", take),
    on(provisioning, "auditRecorded", take),
    on(billing, "auditRecorded", take),
  ];
}
