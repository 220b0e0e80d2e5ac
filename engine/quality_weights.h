/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * quality_weights.h: written by tests/tools/fit_quality.py; one row a kind of
 * trouble, in the order of enum engine_quality_kind: a weight for each measure
 * in the order of enum quality_feature, then the bias.
 */
static const float quality_weights[ENGINE_QUALITY_KINDS][QUALITY_FEATURES + 1] = {
	{	/* dark */
		-7.0015f, -6.5289f, -0.24616f, 0.0f, 0.0f, 0.0f,
		3.3457f, 1.9763f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, 24.119f,
	},
	{	/* bright */
		0.70065f, 0.0f, 0.0f, -1.7878f, -0.072707f, 8.6495f,
		0.0f, 3.4336f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, -7.694f,
	},
	{	/* covered */
		-13.764f, 0.0f, 1.1467f, 0.0f, 0.0f, 0.0f,
		0.0f, -0.52005f, -0.13344f, 4.2045f, -4.063f, 12.871f,
		-1.888f, 0.0f, 0.0f, 0.0f, 3.8123f, 0.0f,
		0.0f, -13.763f, 18.376f, 1.1387f, 0.0f, 0.0f,
		0.0f, -13.203f,
	},
	{	/* blurred */
		0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, 2.7679f, -14.662f, 4.469f, -3.5753f, -8.7347f,
		-1.7996f, 31.521f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, -30.999f,
	},
	{	/* tilted */
		0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, 0.0f, 0.0f, 0.0f, 3.4055f, 0.0f,
		0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, 0.0f, 0.0f, 0.0f, -15.707f, -1.0642f,
		3.8931f, 0.48998f,
	},
	{	/* uniform */
		0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f,
		0.0f, -3.3755f, 0.0f, 0.0f, -18.451f, 4.3712f,
		2.5487f, 13.262f, 0.0f, 0.0f, 1.7427f, 0.0f,
		0.0f, 4.2896f, 0.0f, 2.4334f, 0.0f, 0.0f,
		0.0f, -15.241f,
	},
	{	/* not-photo */
		6.6441f, 0.0f, 0.0f, 0.0f, 0.0f, -7.8977f,
		-7.3974f, 1.0545f, -0.67958f, 1.5384f, 2.0879f, -2.4281f,
		0.029014f, -17.502f, 4.8083f, 18.912f, -2.036f, 2.1161f,
		3.0003f, 4.7666f, 0.0f, -0.089801f, 6.6706f, 0.0f,
		0.0f, 0.51145f,
	},
};
