// What is decided of requests for certificates, in every order, at both endpoints that say so.
import { ofAlice } from './signing-requests.ts';
import { get, patch, post, put, quiet } from './step-makers.ts';
import type { Step } from './step-player.ts';

const all = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const spec = {
  request: ofAlice,
  signerName: 'kubernetes.io/kube-apiserver-client',
  usages: ['client auth'],
};
const c = (type: string, more = {}) => ({
  type,
  status: 'True',
  reason: 'r',
  message: 'm',
  ...more,
});
export function decisionSteps(): Step[] {
  const make = (n: string): Step[] => [
    quiet(post(`make ${n}`, all, { metadata: { name: n }, spec })),
  ];
  const body = (n: string, conditions: object[]) => ({
    metadata: { name: n },
    spec,
    status: { conditions },
  });
  return [
    ...make('decided-a'),
    put('two in order', `${all}/decided-a/approval`, body('decided-a', [c('Odd'), c('Approved')])),
    put('turned round', `${all}/decided-a/approval`, body('decided-a', [c('Approved'), c('Odd')])),
    put(
      'approved twice',
      `${all}/decided-a/approval`,
      body('decided-a', [c('Approved'), c('Odd'), c('Approved', { reason: 'x' })]),
    ),
    put(
      'by status otherwise',
      `${all}/decided-a/status`,
      body('decided-a', [c('Approved', { reason: 'y' }), c('Failed'), c('Odd')]),
    ),
    put(
      'by status turned round',
      `${all}/decided-a/status`,
      body('decided-a', [c('Odd'), c('Failed'), c('Approved')]),
    ),
    put(
      'approval without failed',
      `${all}/decided-a/approval`,
      body('decided-a', [c('Approved'), c('Odd')]),
    ),
    get('get', `${all}/decided-a`),
    ...make('decided-b'),
    patch('merge', `${all}/decided-b/approval`, {
      status: { conditions: [c('Denied'), c('Odd')] },
    }),
    patch(
      'strategic',
      `${all}/decided-b/approval`,
      { status: { conditions: [c('Extra'), c('Denied', { reason: 'z' })] } },
      'strategic',
    ),
    patch(
      'apply',
      `${all}/decided-b/approval?fieldManager=m&force=true`,
      {
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name: 'decided-b' },
        status: { conditions: [c('Second'), c('First')] },
      },
      'apply',
    ),
    patch('approve denied', `${all}/decided-b/approval`, {
      status: { conditions: [c('Denied'), c('Approved')] },
    }),
    patch('odd status', `${all}/decided-b/approval`, {
      status: { conditions: [{ type: 'Approved', status: 'Odd' }] },
    }),
    patch('no conditions', `${all}/decided-b/approval`, { status: { conditions: [] } }),
    get('get b', `${all}/decided-b`),
  ];
}
