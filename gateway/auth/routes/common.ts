import { z } from "zod";

export const Email = z.email().max(254);
export const Username = z
  .string()
  .trim()
  .min(3)
  .max(32)
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/,
    "letters, digits, dot, dash and underscore; starts with a letter or digit",
  );

/** Postgres stores no NUL, and what people type into one field is one line of text. */
export const printable = /^\P{Cc}*$/u;

// A name is shown to others: half characters, line ends and signs that turn the direction of what follows have no place.
export const Name = z
  .string()
  .trim()
  .max(80)
  .regex(
    /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]*$/u,
    "holds a control character or half of a character",
  );

// An upper bound keeps a request from buying minutes of hashing.
export const Password = z.string().min(8).max(256);

export const Id = (prefix: string) => z.string().regex(new RegExp(`^${prefix}_[0-9a-z]{26}$`), "not an id");

export const User = z.object({
  id: z.string(),
  email: z.string(),
  username: z.string(),
  displayName: z.string().nullable(),
  firstName: z.string().nullable(),
  lastName: z.string().nullable(),
  role: z.enum(["customer", "operator"]),
  billing_status: z.string(),
  suspended_at: z.iso.datetime().nullable(),
});

export const ok = z.object({ ok: z.literal(true) });
export const issued = z.object({ token: z.string(), expiresIn: z.int() });

export const session = { auth: "session", guard: "none", timeoutMs: 3_000 } as const;
export const open = { auth: "public", guard: "none", timeoutMs: 5_000 } as const;
export const operator = { auth: "operator", guard: "operator", timeoutMs: 3_000 } as const;
/** Other services of the mesh, over the bus. */
export const mesh = { auth: "service", guard: "none", timeoutMs: 3_000 } as const;
