// The messages of OpenAPI v3 (openapi.v3 of gnostic's models v0.7) that a document of Kubernetes can have.
import { DocumentEncoder, orReference, type Shapes } from '#kube/types/openapi-messages.ts';

/** Numbers, booleans and texts; others are there without a value. */
const defaults: Readonly<Record<string, readonly [number, string]>> = {
  number: [1, 'd'],
  boolean: [2, 'b'],
  string: [3, 's'],
};

const shapes: Shapes = {
  Document: {
    fields:
      'openapi 1:s,info 2:Info,paths 4:Paths,components 5:Components,security 6:Security*,tags 7:Tag*,' +
      'externalDocs 8:ExternalDocs',
    extension: 9,
  },
  Info: { fields: 'title 1:s,description 2:s,termsOfService 3:s,version 6:s', extension: 7 },
  ExternalDocs: { fields: 'description 1:s,url 2:s', extension: 3 },
  Tag: { fields: 'name 1:s,description 2:s,externalDocs 3:ExternalDocs', extension: 4 },
  Paths: { entries: [1, 'PathItem'], extension: 2 },
  PathItem: {
    fields:
      '$ref 1:s,summary 2:s,description 3:s,get 4:Operation,put 5:Operation,post 6:Operation,delete 7:Operation,' +
      'options 8:Operation,head 9:Operation,patch 10:Operation,trace 11:Operation,parameters 13:ParameterItem*',
    extension: 14,
  },
  Operation: {
    fields:
      'tags 1:s*,summary 2:s,description 3:s,externalDocs 4:ExternalDocs,operationId 5:s,parameters 6:ParameterItem*,' +
      'requestBody 7:RequestBodyItem,responses 8:Responses,deprecated 10:b,security 11:Security*',
    extension: 13,
  },
  ParameterItem: orReference('Parameter'),
  Parameter: {
    fields:
      'name 1:s,in 2:s,description 3:s,required 4:b,deprecated 5:b,allowEmptyValue 6:b,style 7:s,explode 8:b,' +
      'allowReserved 9:b,schema 10:SchemaItem,example 11:any,content 13:MediaTypes',
    extension: 14,
  },
  RequestBodyItem: orReference('RequestBody'),
  RequestBody: { fields: 'description 1:s,content 2:MediaTypes,required 3:b', extension: 4 },
  MediaTypes: { entries: [1, 'MediaType'] },
  MediaType: { fields: 'schema 1:SchemaItem,example 2:any', extension: 5 },
  Responses: { fields: 'default 1:ResponseItem', entries: [2, 'ResponseItem'], extension: 3 },
  ResponseItem: orReference('Response'),
  Response: { fields: 'description 1:s,content 3:MediaTypes', extension: 5 },
  Reference: { fields: '$ref 1:s,summary 2:s,description 3:s' },
  Components: {
    fields: 'schemas 1:Schemas,securitySchemes 7:SecuritySchemes',
    extension: 10,
  },
  Schemas: { entries: [1, 'SchemaItem'] },
  SchemaItem: orReference('Schema'),
  Schema: {
    fields:
      'nullable 1:b,readOnly 3:b,writeOnly 4:b,externalDocs 6:ExternalDocs,example 7:any,deprecated 8:b,title 9:s,' +
      'multipleOf 10:d,maximum 11:d,exclusiveMaximum 12:b,minimum 13:d,exclusiveMinimum 14:b,maxLength 15:i,' +
      'minLength 16:i,pattern 17:s,maxItems 18:i,minItems 19:i,uniqueItems 20:b,maxProperties 21:i,' +
      'minProperties 22:i,required 23:s*,enum 24:any*,type 25:s,allOf 26:SchemaItem*,oneOf 27:SchemaItem*,' +
      'anyOf 28:SchemaItem*,not 29:Schema,items 30:SchemaList,properties 31:Schemas,' +
      'additionalProperties 32:Additional,default 33:Default,description 34:s,format 35:s',
    extension: 36,
  },
  SchemaList: { list: [1, 'SchemaItem'] },
  Additional: { pick: (value) => (typeof value === 'boolean' ? [2, 'b'] : [1, 'SchemaItem']) },
  Default: { pick: (value) => defaults[typeof value] },
  Texts: { list: [1, 's'] },
  Security: { entries: [1, 'Texts'] },
  SecuritySchemes: { entries: [1, 'SecurityItem'] },
  SecurityItem: orReference('SecurityScheme'),
  SecurityScheme: {
    fields: 'type 1:s,description 2:s,name 3:s,in 4:s,scheme 5:s,bearerFormat 6:s',
    extension: 9,
  },
};

const encoder = new DocumentEncoder(shapes);

/** An OpenAPI v3 document as the message openapi.v3.Document. */
export function encodeOpenApiV3(document: Readonly<Record<string, unknown>>): Buffer {
  return encoder.encode(document);
}
