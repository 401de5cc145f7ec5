import { z } from "zod";
import { declaredCodes } from "#shared/bus/authority.ts";
import { pathParameters } from "#shared/contract/check.ts";
import type { Binding, Contract, ErrorDef, Route } from "#shared/contract/define.ts";
import { Problem } from "#shared/fault/fault.ts";

type Schema = { properties?: Record<string, object>; required?: string[]; $schema?: string };

const jsonSchema = (schema: z.ZodType, io: "input" | "output"): Schema => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Schema;
  return rest;
};

export const components = {
  securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
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
    ...(route.policy.auth === "public" || route.policy.auth === "internal"
      ? { security: [] }
      : { security: [{ bearer: [] }] }),
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
    responses: responses(contract, route, inherited),
    "x-zpack-subject": route.subject,
    "x-zpack-policy": route.policy,
  };
}

const binaryBody = {
  content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } },
};

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

function responses(
  contract: Contract,
  route: Route,
  inherited: Record<string, ErrorDef>,
): Record<string, unknown> {
  const errors = {
    ...declaredCodes(contract.service, route.errors),
    ...(route.policy.server ? inherited : {}),
  };
  const byStatus = Map.groupBy(Object.entries(errors), ([, { status }]) => status);
  const failures = [...byStatus].map(([status, entries]) => [
    status,
    {
      description: entries.map(([code, { title }]) => `\`${code}\`: ${title}`).join("\n\n"),
      content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
    },
  ]);
  const success =
    route.http?.kind === "download"
      ? { "application/octet-stream": { schema: { type: "string", format: "binary" } } }
      : { "application/json": { schema: jsonSchema(route.reply, "output") } };
  return {
    [route.http?.success ?? 200]: { description: "Success", content: success },
    ...Object.fromEntries(failures),
    default: {
      description: "Any other failure",
      content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
    },
  };
}
