import { implement, type Service } from "#shared/contract/implement.ts";
import type { Db } from "#shared/db/connect.ts";
import type { Clock } from "#shared/process/clock.ts";
import { gateway } from "./contract.ts";
import type { Passwords } from "./passwords.ts";
import type { Sessions } from "./sessions.ts";
import { changePassword } from "./verbs/change-password.ts";
import { confirmMail } from "./verbs/confirm-mail.ts";
import { createKey } from "./verbs/create-key.ts";
import { endSession } from "./verbs/end-session.ts";
import { forgotPassword } from "./verbs/forgot-password.ts";
import { listAudit } from "./verbs/list-audit.ts";
import { listKeys } from "./verbs/list-keys.ts";
import { listMail } from "./verbs/list-mail.ts";
import { listSessions } from "./verbs/list-sessions.ts";
import { login } from "./verbs/login.ts";
import { logout } from "./verbs/logout.ts";
import { logoutAll } from "./verbs/logout-all.ts";
import { me } from "./verbs/me.ts";
import { mintResetToken } from "./verbs/mint-reset-token.ts";
import { profile } from "./verbs/profile.ts";
import { refresh } from "./verbs/refresh.ts";
import { register } from "./verbs/register.ts";
import { resetPassword } from "./verbs/reset-password.ts";
import { revokeKey } from "./verbs/revoke-key.ts";
import { updateMe } from "./verbs/update-me.ts";

export type Deps = {
  db: Db;
  clock: Clock;
  passwords: Passwords;
  sessions: Sessions;
  settings: {
    /** Where clients reach the gateway. */
    publicUrl: string;
    /** Lifetime of the refresh cookie. */
    refreshSeconds: number;
    /** Lifetime of a reset token since it was made. */
    resetMs: number;
    /** API keys that one account may have. */
    maxKeys: number;
  };
};

export const gatewayService = implement(gateway)((deps: Deps) => ({
  register: register(deps),
  me: me(deps),
  updateMe: updateMe(deps),
  profile: profile(deps),
  login: login(deps),
  refresh: refresh(deps),
  logout: logout(deps),
  logoutAll: logoutAll(deps),
  listSessions: listSessions(deps),
  endSession: endSession(deps),
  changePassword: changePassword(deps),
  forgotPassword: forgotPassword(deps),
  resetPassword: resetPassword(deps),
  mintResetToken: mintResetToken(deps),
  confirmMail: confirmMail(deps),
  listMail: listMail(deps),
  createKey: createKey(deps),
  listKeys: listKeys(deps),
  revokeKey: revokeKey(deps),
  listAudit: listAudit(deps),
}));

/**
 * The part of the gateway's service that belongs on the bus: what other services call. Routes for clients are not
 * subscribed at all, so no right on the bus, however wide, leads around the pipeline to a sign-in.
 */
export function meshService({ contract, handlers }: Service): Service {
  const routes = Object.fromEntries(
    Object.entries(contract.routes).filter(([, { policy }]) => policy.auth === "service"),
  );
  return { contract: { ...contract, routes }, handlers };
}
