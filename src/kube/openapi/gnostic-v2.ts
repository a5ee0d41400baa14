// The messages of OpenAPI v2 (openapi.v2 of gnostic's models v0.7) that a document of Kubernetes can have.
import { DocumentEncoder, orReference, type Shapes } from '#kube/types/openapi-messages.ts';

const places: Readonly<Record<string, readonly [number, string]>> = {
  header: [1, 'NonBodyParameter'],
  formData: [2, 'FormParameter'],
  query: [3, 'FormParameter'],
  path: [4, 'NonBodyParameter'],
};

const placeOf = (value: unknown): string => String((value as Record<string, unknown>)['in']);

const limits = (first: number): string =>
  [
    'maximum:d',
    'exclusiveMaximum:b',
    'minimum:d',
    'exclusiveMinimum:b',
    'maxLength:i',
    'minLength:i',
    'pattern:s',
    'maxItems:i',
    'minItems:i',
    'uniqueItems:b',
    'enum:any*',
    'multipleOf:d',
  ]
    .map((one, index) => one.replace(':', ` ${first + index}:`))
    .join(',');

const shapes: Shapes = {
  Document: {
    fields:
      'swagger 1:s,info 2:Info,host 3:s,basePath 4:s,schemes 5:s*,consumes 6:s*,produces 7:s*,paths 8:Paths,' +
      'definitions 9:Schemas,parameters 10:Parameters,responses 11:NamedResponses,security 12:Security*,' +
      'securityDefinitions 13:SecurityDefinitions,tags 14:Tag*,externalDocs 15:ExternalDocs',
    extension: 16,
  },
  Info: {
    fields:
      'title 1:s,version 2:s,description 3:s,termsOfService 4:s,contact 5:Contact,license 6:License',
    extension: 7,
  },
  Contact: { fields: 'name 1:s,url 2:s,email 3:s', extension: 4 },
  License: { fields: 'name 1:s,url 2:s', extension: 3 },
  ExternalDocs: { fields: 'description 1:s,url 2:s', extension: 3 },
  Tag: { fields: 'name 1:s,description 2:s,externalDocs 3:ExternalDocs', extension: 4 },
  Paths: { entries: [2, 'PathItem'], extension: 1 },
  PathItem: {
    fields:
      '$ref 1:s,get 2:Operation,put 3:Operation,post 4:Operation,delete 5:Operation,options 6:Operation,' +
      'head 7:Operation,patch 8:Operation,parameters 9:ParametersItem*',
    extension: 10,
  },
  Operation: {
    fields:
      'tags 1:s*,summary 2:s,description 3:s,externalDocs 4:ExternalDocs,operationId 5:s,produces 6:s*,' +
      'consumes 7:s*,parameters 8:ParametersItem*,responses 9:Responses,schemes 10:s*,deprecated 11:b,' +
      'security 12:Security*',
    extension: 13,
  },
  ParametersItem: orReference('Parameter'),
  Parameters: { entries: [1, 'Parameter'] },
  Parameter: {
    pick: (value) => (placeOf(value) === 'body' ? [1, 'BodyParameter'] : [2, 'PlacedParameter']),
  },
  PlacedParameter: { pick: (value) => places[placeOf(value)] },
  Reference: { fields: '$ref 1:s,description 2:s' },
  BodyParameter: {
    fields: 'description 1:s,name 2:s,in 3:s,required 4:b,schema 5:Schema',
    extension: 6,
  },
  NonBodyParameter: {
    fields: `required 1:b,in 2:s,description 3:s,name 4:s,type 5:s,format 6:s,items 7:PrimitiveItems,collectionFormat 8:s,default 9:any,${limits(10)}`,
    extension: 22,
  },
  FormParameter: {
    fields: `required 1:b,in 2:s,description 3:s,name 4:s,allowEmptyValue 5:b,type 6:s,format 7:s,items 8:PrimitiveItems,collectionFormat 9:s,default 10:any,${limits(11)}`,
    extension: 23,
  },
  PrimitiveItems: {
    fields: `type 1:s,format 2:s,items 3:PrimitiveItems,collectionFormat 4:s,default 5:any,${limits(6)}`,
    extension: 18,
  },
  Responses: { entries: [1, 'ResponseValue'], extension: 2 },
  ResponseValue: orReference('Response'),
  NamedResponses: { entries: [1, 'Response'] },
  Response: { fields: 'description 1:s,schema 2:SchemaItem', extension: 5 },
  SchemaItem: { pick: () => [1, 'Schema'] },
  Schemas: { entries: [1, 'Schema'] },
  Schema: {
    fields:
      '$ref 1:s,format 2:s,title 3:s,description 4:s,default 5:any,multipleOf 6:d,maximum 7:d,exclusiveMaximum 8:b,' +
      'minimum 9:d,exclusiveMinimum 10:b,maxLength 11:i,minLength 12:i,pattern 13:s,maxItems 14:i,minItems 15:i,' +
      'uniqueItems 16:b,maxProperties 17:i,minProperties 18:i,required 19:s*,enum 20:any*,' +
      'additionalProperties 21:Additional,type 22:Texts,items 23:SchemaList,allOf 24:Schema*,properties 25:Schemas,' +
      'discriminator 26:s,readOnly 27:b,externalDocs 29:ExternalDocs,example 30:any',
    extension: 31,
  },
  SchemaList: { list: [1, 'Schema'] },
  Texts: { list: [1, 's'] },
  Additional: { pick: (value) => (typeof value === 'boolean' ? [2, 'b'] : [1, 'Schema']) },
  Security: { entries: [1, 'Texts'] },
  SecurityDefinitions: { entries: [1, 'SecurityDefinition'] },
  SecurityDefinition: {
    pick: (value) =>
      (value as Record<string, unknown>)['type'] === 'apiKey' ? [2, 'ApiKey'] : [1, 'BasicAccess'],
  },
  ApiKey: { fields: 'type 1:s,name 2:s,in 3:s,description 4:s', extension: 5 },
  BasicAccess: { fields: 'type 1:s,description 2:s', extension: 3 },
};

const encoder = new DocumentEncoder(shapes);

/** An OpenAPI v2 document as the message openapi.v2.Document. */
export function encodeOpenApiV2(document: Readonly<Record<string, unknown>>): Buffer {
  return encoder.encode(document);
}

/** One path or definition of such a document, within the field of `shape` (Paths or Schemas). */
export function encodeEntryV2(shape: string, name: string, value: unknown): Uint8Array {
  return encoder.encodeEntry(shape, name, value);
}
