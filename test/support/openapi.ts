import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod'
import { root } from './process.ts'

// What openapi.yaml is made of, as far as this project uses OpenAPI 3.2: anything else in it is a mistake.

const text = z.string().min(1)
const jsonSchema = z.union([z.record(z.string(), z.unknown()), z.boolean()])
const media = z.record(
  z.string().regex(/^[a-z]+\/[a-z+-]+$/),
  z.strictObject({
    schema: jsonSchema.optional(),
    itemSchema: jsonSchema.optional(),
    example: z.unknown().optional(),
    encoding: z.unknown().optional(),
  }),
)
const header = z.strictObject({
  description: text.optional(),
  required: z.boolean().default(false),
  schema: jsonSchema,
})
const response = z.strictObject({
  description: text,
  headers: z.record(z.string(), header).default({}),
  content: media.default({}),
  'x-codes': z.array(text).default([]),
})
const parameter = z.strictObject({
  name: text,
  in: z.enum(['query', 'header', 'path', 'cookie']),
  required: z.boolean().default(false),
  description: text.optional(),
  schema: jsonSchema,
  example: z.unknown().optional(),
})
const operation = z.strictObject({
  tags: z.array(text).length(1),
  operationId: text,
  summary: text,
  description: text.optional(),
  servers: z.array(z.strictObject({ url: z.url(), description: text })).optional(),
  security: z.array(z.record(z.string(), z.array(z.never()))).default([]),
  parameters: z.array(parameter).default([]),
  requestBody: z.strictObject({ required: z.boolean().default(false), content: media }).optional(),
  responses: z.record(z.string().regex(/^([1-5]\d\d|default)$/), response),
})
const methods = ['get', 'head', 'query', 'post', 'delete', 'options'] as const
const description = z.strictObject({
  openapi: z.literal('3.2.0'),
  info: z.object({ title: text, version: text, license: z.object({ name: text }) }),
  servers: z.array(z.object({ url: z.url() })),
  tags: z.array(z.strictObject({ name: text, description: text })),
  paths: z.record(z.string().startsWith('/'), z.partialRecord(z.enum(methods), operation)),
  components: z.record(z.string(), z.record(z.string(), z.unknown())),
})

export type Method = (typeof methods)[number]
export type Operation = z.output<typeof operation>
export type Answer = z.output<typeof response>
export type Description = z.output<typeof description>

/** openapi.yaml with what its references mean in their places. @throws where it is not of the shape above, or refers to nothing */
export async function readDescription(): Promise<Description> {
  const source: unknown = parse(await readFile(join(root, 'openapi.yaml'), 'utf8'), { maxAliasCount: 1000 })
  return description.parse(resolveReferences(source, source))
}

function resolveReferences(value: unknown, source: unknown): unknown {
  if (Array.isArray(value)) return value.map(item => resolveReferences(item, source))
  if (typeof value !== 'object' || value === null) return value
  if ('$ref' in value) return resolveReferences(lookUp(String(value.$ref), source), source)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolveReferences(item, source)]))
}

function lookUp(reference: string, source: unknown): unknown {
  let found = source
  for (const step of reference.replace(/^#\//, '').split('/'))
    found = (found as Record<string, unknown> | undefined)?.[step]
  if (found === undefined) throw new Error(`${reference} refers to nothing`)
  return found
}

/** What is wrong with a value by a JSON Schema; empty: nothing. */
export function faultsOf(value: unknown, schema: unknown): string[] {
  const { error } = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(value)
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
}
