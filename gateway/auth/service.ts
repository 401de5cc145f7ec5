import { implement } from "#shared/contract/implement.ts";
import type { Db } from "#shared/db/connect.ts";
import { gateway } from "./contract.ts";
import type { Passwords } from "./passwords.ts";
import type { Sessions } from "./sessions.ts";
import { login } from "./verbs/login.ts";
import { logout } from "./verbs/logout.ts";
import { me } from "./verbs/me.ts";
import { profile } from "./verbs/profile.ts";
import { register } from "./verbs/register.ts";
import { updateMe } from "./verbs/update-me.ts";

export type Deps = { db: Db; passwords: Passwords; sessions: Sessions };

export const gatewayService = implement(gateway)((deps: Deps) => ({
  register: register(deps),
  login: login(deps),
  logout: logout(deps),
  me: me(deps),
  updateMe: updateMe(deps),
  profile: profile(deps),
}));
