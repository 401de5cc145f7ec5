import { z } from "zod";
import { pathParameters } from "#shared/contract/check.ts";
import type { Binding, Contract, ErrorDef, Policy, Route } from "#shared/contract/define.ts";
import { scopes } from "#shared/contract/scope.ts";
import { Problem } from "#shared/fault/fault.ts";
import { failures } from "./openapi-failures.ts";

type Schema = { properties?: Record<string, object>; required?: string[]; $schema?: string };

/** A zod schema as JSON Schema, as clients write it or read it. */
export const jsonSchema = (schema: z.ZodType, io: "input" | "output"): Schema => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Schema;
  return rest;
};

export const components = {
  securitySchemes: {
    bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT", description: "The token of a session" },
    apiKey: {
      type: "http",
      scheme: "bearer",
      bearerFormat: "zpk_<id>_<secret>",
      description: `An API key, which may do what its scopes name:\n\n${Object.entries(scopes)
        .map(([scope, meaning]) => `- \`${scope}\`: ${meaning}`)
        .join("\n")}`,
    },
  },
  schemas: { Problem: jsonSchema(Problem, "output") },
} as const;

/** The OpenAPI 3.1 operation of one binding; an alias is the same operation, marked deprecated. */
export function operation(
  contract: Contract,
  name: string,
  route: Route,
  binding: Binding & { alias?: unknown },
  inherited: Record<string, ErrorDef>,
): Record<string, unknown> {
  const { service } = contract;
  const schema = jsonSchema(route.request, "input");
  const inPath = new Set(pathParameters(binding.path));
  const fields = Object.entries(schema.properties ?? {});
  const required = new Set(schema.required);
  const bodyless = binding.method === "GET" || binding.method === "DELETE" || route.http?.kind !== "json";
  const inQuery = fields.filter(([field]) => !inPath.has(field) && bodyless);
  const inBody = bodyless ? [] : fields.filter(([field]) => !inPath.has(field));
  return {
    operationId: `${service}.${name}${binding.alias ? `.${binding.method}${binding.path}` : ""}`,
    summary: route.summary,
    tags: [service],
    ...(binding.alias ? { deprecated: true } : {}),
    ...described(route.policy),
    security: securityOf(route.policy),
    parameters: [
      ...fields
        .filter(([f]) => inPath.has(f))
        .map(([f, s]) => ({ name: f, in: "path", required: true, schema: s })),
      ...inQuery.map(([f, s]) => ({ name: f, in: "query", required: required.has(f), schema: s })),
      ...(route.policy.idempotency === "key"
        ? [
            {
              name: "Idempotency-Key",
              in: "header",
              required: false,
              schema: { type: "string", maxLength: 255 },
            },
          ]
        : []),
    ],
    ...(inBody.length > 0 ? { requestBody: jsonBody(inBody, required, route, inPath) } : {}),
    ...(route.http?.kind === "upload" ? { requestBody: binaryBody } : {}),
    responses: {
      [route.http?.success ?? 200]: { description: "Success", ...success(route) },
      ...failures(contract, route, inherited),
    },
    "x-zpack-subject": route.subject,
    "x-zpack-policy": route.policy,
  };
}

function described({ auth, scope, limit }: Policy): { description?: string } {
  const asks = auth === "session" || auth === "operator";
  const sentences = [
    ...(asks && scope ? [`An API key needs the scope \`${scope}\`.`] : []),
    ...(asks && !scope ? ["Needs a session: no API key may call it."] : []),
    ...(limit ? ["How often it may be called is limited, by address and by account."] : []),
  ];
  return sentences.length > 0 ? { description: sentences.join(" ") } : {};
}

function securityOf({ auth, scope }: Policy): Record<string, string[]>[] {
  if (auth !== "session" && auth !== "operator") return [];
  return [{ bearer: [] }, ...(scope ? [{ apiKey: [scope] }] : [])];
}

function success({ http, reply }: Route): { content?: object } {
  if (http?.success === 204) return {};
  if (http?.kind === "download") return { content: binary };
  return { content: { "application/json": { schema: jsonSchema(reply, "output") } } };
}

const binary = { "application/octet-stream": { schema: { type: "string", format: "binary" } } };
const binaryBody = { content: binary };
function jsonBody(fields: [string, object][], required: Set<string>, route: Route, inPath: Set<string>) {
  const names = fields.map(([field]) => field);
  const example = Object.fromEntries(
    Object.entries(route.example ?? {}).filter(([field]) => !inPath.has(field)),
  );
  return {
    required: names.some((field) => required.has(field)),
    content: {
      "application/json": {
        schema: {
          type: "object",
          properties: Object.fromEntries(fields),
          required: names.filter((field) => required.has(field)),
        },
        example,
      },
    },
  };
}
