import { durableName, stream } from "#shared/bus/events.ts";
import { eventSubject } from "#shared/bus/streams.ts";
import type { Contract } from "#shared/contract/define.ts";

/** What one user of the bus may do; everything else is refused by the server. */
export type Rights = {
  user: string;
  publish: readonly string[];
  subscribe: readonly string[];
};

/**
 * The rights of every service, from the contracts alone: its own subjects, what it says it calls and reads, and the
 * authority of its routes; the edge calls whatever has an address on HTTP.
 */
export function rightsOf(registry: readonly Contract[]): Rights[] {
  return registry.map((contract) => {
    const { service } = contract;
    const called = new Set([...contract.calls, ...authorityCalls(registry, contract)]);
    const subjects = [...called].map((name) => routeSubject(registry, name));
    if (contract.edge) subjects.push(...httpSubjects(registry, service));
    const durables = contract.consumes.map((consumed) => durableName(service, consumed));
    for (const consumed of contract.consumes) eventSubject(registry, consumed);
    return {
      user: service,
      publish: [
        ...new Set(subjects),
        `evt.${service}.>`,
        `wake.${service}.>`,
        ...(contract.broadcasts ? [`bct.${service}.>`] : []),
        `$JS.API.STREAM.INFO.${stream}`,
        ...durables.flatMap((durable) => [
          `$JS.API.CONSUMER.INFO.${stream}.${durable}`,
          `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
          `$JS.ACK.${stream}.${durable}.>`,
        ]),
        ...(contract.edge ? ["$SRV.PING.>"] : []),
      ].toSorted(),
      subscribe: [
        // Subject and queue in one: outside its queue group a service would see each call twice.
        `rpc.${service}.v1.> ${service}`,
        `_INBOX.${service}.>`,
        `wake.${service}.>`,
        ...(contract.broadcasts ? [`bct.${service}.>`] : []),
        ...["PING", "INFO", "STATS"].flatMap((verb) => [
          `$SRV.${verb}`,
          `$SRV.${verb}.${service}`,
          `$SRV.${verb}.${service}.*`,
        ]),
      ].toSorted(),
    };
  });
}

function authorityCalls(registry: readonly Contract[], contract: Contract): string[] {
  const gated = Object.values(contract.routes).filter((route) => route.policy.server);
  // The owner of the authority asks itself in its own process.
  if (gated.length === 0 || contract.authority) return [];
  const owner = registry.find((c) => c.authority);
  if (!owner?.authority)
    throw new Error(`${contract.service} declares policy.server, and no contract decides for it`);
  const { plain, agent, unlock } = owner.authority;
  return [
    ...(gated.some((route) => !route.policy.agent) ? [plain] : []),
    ...(gated.some((route) => route.policy.agent) ? [agent] : []),
    unlock,
  ].map((route) => `${owner.service}.${route}`);
}

/** The subject of `<service>.<route>`; throws when the registry has no such route. */
export function routeSubject(registry: readonly Contract[], name: string): string {
  const [service, route] = name.split(".") as [string, string];
  const subject = registry.find((c) => c.service === service)?.routes[route]?.subject;
  if (!subject) throw new Error(`no contract declares the route ${name}`);
  return subject;
}

const httpSubjects = (registry: readonly Contract[], edge: string) =>
  registry
    .filter((contract) => contract.service !== edge)
    .flatMap((contract) => Object.values(contract.routes).filter((route) => route.http))
    .map((route) => route.subject);

/** The `authorization` block of the server's configuration; `password` is asked once for each user. */
export function authorizationConfig(rights: readonly Rights[], password: (user: string) => string): string {
  const list = (subjects: readonly string[]) => subjects.map((s) => JSON.stringify(s)).join(", ");
  const users = rights.map(
    (r) =>
      `    { user: ${JSON.stringify(r.user)}, password: ${JSON.stringify(password(r.user))}, permissions: {\n` +
      `        publish: { allow: [${list(r.publish)}] }\n` +
      `        subscribe: { allow: [${list(r.subscribe)}] }\n` +
      `        allow_responses: { max: 1, expires: "5m" }\n` +
      "    } }",
  );
  const admin = `    { user: "admin", password: ${JSON.stringify(password("admin"))}, permissions: { publish: ">", subscribe: ">" } }`;
  return `authorization {\n  users = [\n${[admin, ...users].join("\n")}\n  ]\n}\n`;
}
